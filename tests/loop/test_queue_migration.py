"""A loop with data from before there was an order in the queue."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

import edgeloop.loop.db.session as database_module
from edgeloop.loop.db.session import Database

NOW = "2026-01-02 03:04:05.000000"
MIGRATIONS = Path(database_module.__file__).parent / "migrations"
ROWS = (
    f"INSERT INTO organizations VALUES ('zoo', '{NOW}')",
    "INSERT INTO projects (id, organization_id, name, open_to_devices, has_val_split,"
    f" trainings_begun, created) VALUES ('p', 'zoo', 'cats', 0, 0, 3, '{NOW}')",
    *(
        "INSERT INTO trainings (id, project_id, number, state, variant, hyperparameters,"
        " trainer_name, errors, skipped_images, created)"
        f" VALUES ('t{number}', 'p', {number}, 'queued', '', '{{}}', '', '{{}}', 0, '{created}')"
        for number, created in ((1, NOW), (2, NOW), (3, "2025-12-31 00:00:00.000000"))
    ),
    "INSERT INTO models (id, project_id, categories, counts, metrics, comment, created)"
    f" VALUES ('m', 'p', '[]', '{{}}', '{{}}', 'good', '{NOW}')",
    f"INSERT INTO deployments VALUES (1, 'p', 'm', 'ada', '{NOW}')",
)


def fill_before(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "0002")
    for row in ROWS:
        connection.execute(text(row))


def test_trainings_that_wait_keep_their_order_and_nothing_is_lost(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'loop.sqlite'}"

    async def story() -> None:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(fill_before)
        await engine.dispose()
        database = Database(url)
        await database.migrate()
        async with database.read() as session:
            waiting = await session.scalars(text("SELECT id FROM trainings ORDER BY rank"))
            assert waiting.all() == ["t3", "t1", "t2"]
            rows = await session.execute(text("SELECT wanted_formats FROM projects"))
            assert rows.all() == [("[]",)]
            kept = await session.execute(
                text("SELECT comment, retired, author, restores FROM models, deployments")
            )
            assert kept.all() == [("good", None, "ada", None)]
        await database.close()

    asyncio.run(story())
