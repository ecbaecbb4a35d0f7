"""A loop with data of an earlier version is brought to the newest, with all its data."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from edgeloop.loop.db import session as sessions
from edgeloop.loop.db.session import Database

PROJECT = "11111111-0000-4000-8000-000000000000"
CAT, DOG = "cat-id", "dog-id"


def boxes(kind: str, *found: tuple[str, float]) -> str:
    """Wire JSON with a box for each (category, confidence)."""
    shapes = [{"category_id": id_, "confidence": c, "x": 1, "y": 2} for id_, c in found]
    return json.dumps({f"box_{kind}": shapes, f"classification_{kind[:-1]}": None})


def old_loop(folder: Path, revision: str) -> sqlite3.Connection:
    """A database as that revision had it, with one project."""
    path = folder / "loop.sqlite"
    config = Config()
    config.set_main_option("script_location", str(Path(sessions.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    plain = sqlite3.connect(path, isolation_level=None)
    plain.row_factory = sqlite3.Row
    put(plain, "organizations", id="zoo", created="2025-01-01 00:00:00.000000")
    put(
        plain,
        "projects",
        id=PROJECT,
        organization_id="zoo",
        name="cats",
        open_to_devices=0,
        has_val_split=0,
        trainings_begun=0,
        created="2025-01-01 00:00:00.000000",
    )
    return plain


def put(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    """A row, whatever the columns."""
    names, places = ", ".join(values), ", ".join("?" * len(values))
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
    connection.execute(statement, tuple(values.values()))


def put_image(connection: sqlite3.Connection, name: str, *, second: int, **values: Any) -> None:
    """An image as the first versions had it."""
    fixed: dict[str, Any] = {
        "id": name,
        "project_id": PROJECT,
        "frame_id": f"frame-{name}",
        "content_hash": "0" * 64,
        "size_bytes": 7,
        "width": 64,
        "height": 48,
        "state": "inbox",
        "split": "train",
        "camera_id": "left",
        "received": f"2025-01-01 00:00:{second:02}.000000",
    }
    put(connection, "images", **{**fixed, **values})


def migrate(folder: Path) -> sqlite3.Connection:
    """Bring it to the newest version."""

    async def story() -> None:
        database = Database(f"sqlite+aiosqlite:///{folder / 'loop.sqlite'}")
        try:
            await database.migrate()
        finally:
            await database.close()

    asyncio.run(story())
    connection = sqlite3.connect(folder / "loop.sqlite")
    connection.row_factory = sqlite3.Row
    return connection


def words(text: str) -> list[str]:
    """The texts in a column of words."""
    return text.split("\x1f")[1:-1]


def test_images_of_old_loops_are_found_by_what_was_always_known_of_them(tmp_path: Path) -> None:
    old = old_loop(tmp_path, "0001")
    now = "2025-01-02 00:00:00.000000"
    put_image(old, "late", second=9, created="2024-12-31_23:59:58.500000")
    put_image(old, "early", second=1, created="2024-06-01T12:00:00+02:00")
    put_image(old, "odd", second=5, created="yesterday")
    put_image(old, "silent", second=6, created=None)
    for tag in ("night", "blurred"):
        put(old, "image_tags", image_id="late", name=tag)
    found = boxes("annotations", (CAT, 1), (DOG, 1), (CAT, 1))
    put(old, "annotations", image_id="late", version=3, shapes=found, author="a", updated=now)
    for version, day, shapes, best in (
        ("1.0", 3, boxes("detections", (DOG, 0.9)), 0.9),
        ("2.0", 4, boxes("detections", (CAT, 0.3), (DOG, 0.1)), 0.3),
    ):
        put(
            old,
            "detections",
            image_id="late",
            model_version=version,
            shapes=shapes,
            max_confidence=best,
            updated=f"2025-01-0{day} 00:00:00.000000",
        )
    old.close()
    new = migrate(tmp_path)
    images = {row["id"]: row for row in new.execute("SELECT * FROM images ORDER BY number")}
    assert [(name, row["number"]) for name, row in images.items()] == [
        ("early", 1),
        ("odd", 2),
        ("silent", 3),
        ("late", 4),
    ]
    late = images["late"]
    assert words(late["tags"]) == ["blurred", "night"]
    assert words(late["annotated"]) == [CAT, DOG]
    assert (late["confidence"], words(late["detected"])) == (0.3, [CAT])
    assert late["taken"] == "2024-12-31 23:59:58.500000"
    assert images["early"]["taken"] == "2024-06-01 10:00:00.000000"
    assert images["odd"]["taken"] == "2025-01-01 00:00:05.000000"
    assert images["silent"]["taken"] == "2025-01-01 00:00:06.000000"
    assert (images["odd"]["tags"], images["odd"]["confidence"]) == ("", None)
    assert images["odd"]["created"] == "yesterday"
    (kept,) = new.execute("SELECT * FROM annotations")
    assert (kept["version"], kept["shapes"]) == (3, found)
    detections = list(new.execute("SELECT * FROM detections ORDER BY model_version"))
    assert [(row["project_id"], row["number"]) for row in detections] == [(PROJECT, 4)] * 2
    assert [words(row["categories"]) for row in detections] == [[DOG], [CAT]]
    new.close()


@pytest.mark.parametrize("count", [0, 2500])
def test_any_number_of_images_is_brought_along(tmp_path: Path, count: int) -> None:
    old = old_loop(tmp_path, "0003")
    old.execute("BEGIN")
    for number in range(count):
        put_image(old, f"image-{number:05}", second=number % 60, novelty=0.5)
    old.execute("COMMIT")
    old.close()
    new = migrate(tmp_path)
    (row,) = new.execute("SELECT count(*) AS images, count(DISTINCT number) AS numbers FROM images")
    assert tuple(row) == (count, count)
    (row,) = new.execute("SELECT count(*) FROM images WHERE novelty = 0.5")
    assert row[0] == count
    new.close()
