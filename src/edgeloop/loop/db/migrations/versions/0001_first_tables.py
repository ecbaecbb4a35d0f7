"""The first tables: accounts, projects, images, trainings, models, nodes."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    _create_accounts()
    _create_projects()
    _create_images()
    _create_trainings()
    _create_models()
    _create_nodes()


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        _id(),
        _text("username"),
        _text("password_hash"),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        _time("created"),
        sa.UniqueConstraint("username", name="uq_accounts_username"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        _belongs_to("accounts", "account_id", of="sessions", nullable=True),
        _time("created"),
        _time("last_seen"),
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])


def _create_projects() -> None:
    op.create_table(
        "organizations", sa.Column("id", sa.String(), primary_key=True), _time("created")
    )
    op.create_table(
        "projects",
        _id(),
        _belongs_to("organizations", "organization_id", of="projects", type_=sa.String()),
        _text("name"),
        sa.Column("open_to_devices", sa.Boolean(), nullable=False),
        sa.Column("has_val_split", sa.Boolean(), nullable=False),
        _number("trainings_begun"),
        _time("created"),
        sa.UniqueConstraint("organization_id", "name", name="uq_projects_organization_id"),
    )
    op.create_table(
        "categories",
        _id(),
        _belongs_to("projects", "project_id", of="categories"),
        _number("position"),
        *(_text(name) for name in ("name", "type", "color", "description", "hotkey")),
        _number("point_size", nullable=True),
        sa.UniqueConstraint("project_id", "name", name="uq_categories_project_id"),
    )


def _create_images() -> None:
    op.create_table(
        "images",
        _id(),
        _belongs_to("projects", "project_id", of="images"),
        _text("frame_id"),
        sa.Column("content_hash", sa.String(64), nullable=False),
        *(_number(name) for name in ("size_bytes", "width", "height")),
        *(_text(name) for name in ("state", "split")),
        _text("source", nullable=True),
        _text("camera_id"),
        _text("created", nullable=True),
        _time("received"),
        sa.UniqueConstraint("project_id", "frame_id", name="uq_images_project_id"),
    )
    op.create_index("ix_images_content_hash", "images", ["content_hash"])
    op.create_index("ix_images_project_state", "images", ["project_id", "state", "received", "id"])
    op.create_table(
        "image_tags",
        _belongs_to("images", "image_id", of="image_tags", primary_key=True),
        sa.Column("name", sa.String(), primary_key=True),
    )
    op.create_index("ix_image_tags_name", "image_tags", ["name"])
    op.create_table(
        "annotations",
        _belongs_to("images", "image_id", of="annotations", primary_key=True),
        _number("version"),
        _json("shapes"),
        _text("author"),
        _time("updated"),
    )
    op.create_table(
        "detections",
        _belongs_to("images", "image_id", of="detections", primary_key=True),
        sa.Column("model_version", sa.String(), primary_key=True),
        _json("shapes"),
        sa.Column("max_confidence", sa.Double(), nullable=False),
        _time("updated"),
    )
    op.create_index("ix_detections_model_version", "detections", ["model_version"])


def _create_trainings() -> None:
    op.create_table(
        "trainings",
        _id(),
        _belongs_to("projects", "project_id", of="trainings"),
        _number("number"),
        *(_text(name) for name in ("state", "variant")),
        _text("base_model_id", nullable=True),
        _json("hyperparameters"),
        *(_text(name, nullable=True) for name in ("wanted_trainer_id", "trainer_id")),
        _text("trainer_name"),
        *(_text(name, nullable=True) for name in ("trainer_state", "wish")),
        sa.Column("progress", sa.Double(), nullable=True),
        _json("errors"),
        *(_number(name, nullable=True) for name in ("train_images", "test_images")),
        _number("skipped_images"),
        _time("created"),
        *(_time(name, nullable=True) for name in ("started", "ended")),
        sa.UniqueConstraint("project_id", "number", name="uq_trainings_project_id"),
    )
    op.create_index("ix_trainings_state", "trainings", ["state"])
    op.create_index("ix_trainings_trainer_id", "trainings", ["trainer_id"])
    op.create_table(
        "epochs",
        _belongs_to("trainings", "training_id", of="epochs", primary_key=True),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        _number("of"),
        _json("metrics"),
        _time("received"),
    )


def _create_models() -> None:
    op.create_table(
        "models",
        _id(),
        _belongs_to("projects", "project_id", of="models"),
        _belongs_to("trainings", "training_id", of="models", nullable=True),
        *(_text(name, nullable=True) for name in ("version", "base_model_id")),
        *(_json(name) for name in ("categories", "counts", "metrics")),
        *(_number(name, nullable=True) for name in ("best_epoch", "train_images", "test_images")),
        _text("comment"),
        _time("created"),
        sa.UniqueConstraint("project_id", "version", name="uq_models_project_id"),
    )
    op.create_index("ix_models_training_id", "models", ["training_id"])
    op.create_table(
        "model_files",
        _belongs_to("models", "model_id", of="model_files", primary_key=True),
        sa.Column("format", sa.String(), primary_key=True),
        _text("storage_key"),
        _number("size_bytes"),
        sa.Column("content_hash", sa.String(64), nullable=False),
        _time("created"),
    )
    op.create_table(
        "deployments",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _belongs_to("projects", "project_id", of="deployments"),
        _belongs_to("models", "model_id", of="deployments"),
        _text("author"),
        _time("created"),
    )
    op.create_index("ix_deployments_project_id", "deployments", ["project_id"])


def _create_nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(), primary_key=True),
        *(_text(name) for name in ("kind", "name")),
        _belongs_to("projects", "project_id", of="nodes", nullable=True),
        _json("status"),
        _time("first_seen"),
        _time("last_seen"),
    )
    op.create_index("ix_nodes_project_id", "nodes", ["project_id"])


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.String(36), primary_key=True)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _belongs_to(
    table: str,
    column: str,
    *,
    of: str,
    type_: sa.types.TypeEngine[Any] | None = None,
    **options: Any,
) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{table}.id", name=f"fk_{of}_{column}_{table}", ondelete="CASCADE")
    return sa.Column(column, type_ or sa.String(36), key, **{"nullable": False, **options})
