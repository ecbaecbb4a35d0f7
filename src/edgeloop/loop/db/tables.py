"""The loop's tables. Ids are uuid strings; times are UTC."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from edgeloop.loop.db.columns import Base, belongs_to, identity

_TESTED = (
    *("state", "split", "camera_id", "source", "received", "confidence"),
    *("tags", "annotated", "detected"),
)
"""What lists of images are filtered by."""


def _walk(order: str) -> Index:
    """An index that a list in this order walks along; it holds all that a filter looks at."""
    tested = [column for column in _TESTED if column != order]
    return Index(f"ix_images_by_{order}", "project_id", order, "number", *tested)


class AccountRow(Base):
    """Who may log in."""

    __tablename__ = "accounts"

    id: Mapped[str] = identity()
    username: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_disabled: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime]


class SessionRow(Base):
    """A login; only the token's hash is kept. ``agent`` is what the client says it is."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    account_id: Mapped[str | None] = belongs_to("accounts", index=True)
    address: Mapped[str] = mapped_column(default="")
    agent: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime]
    last_seen: Mapped[datetime]


class TokenRow(Base):
    """A token of an account for programs; only its hash is kept.

    ``scopes`` are names of roles, or ``device``. With a project it counts there alone.
    """

    __tablename__ = "tokens"

    id: Mapped[str] = identity()
    account_id: Mapped[str] = belongs_to("accounts", index=True)
    project_id: Mapped[str | None] = belongs_to("projects", index=True)
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class MembershipRow(Base):
    """The role of an account in an organization or, with ``project_id``, in one of its projects."""

    __tablename__ = "memberships"

    id: Mapped[str] = identity()
    account_id: Mapped[str] = belongs_to("accounts", index=True)
    organization_id: Mapped[str] = belongs_to("organizations", index=True)
    project_id: Mapped[str | None] = belongs_to("projects", index=True)
    role: Mapped[str]
    created: Mapped[datetime]


class OrganizationRow(Base):
    """A group of projects; its id is the name in URLs."""

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[datetime]


class ProjectRow(Base):
    """A project; ``name`` is unique in its organization and used in URLs.

    ``promoted_model_id`` is the model that new trainings start from. ``wanted_formats`` are those
    that every model shall have: converters make the missing ones.
    """

    __tablename__ = "projects"
    __table_args__ = (UniqueConstraint("organization_id", "name"),)

    id: Mapped[str] = identity()
    organization_id: Mapped[str] = belongs_to("organizations")
    name: Mapped[str]
    open_to_devices: Mapped[bool] = mapped_column(default=False)
    has_val_split: Mapped[bool] = mapped_column(default=False)
    trainings_begun: Mapped[int] = mapped_column(default=0)
    promoted_model_id: Mapped[str | None]
    wanted_formats: Mapped[list[Any]] = mapped_column(default=list)
    created: Mapped[datetime]


class CategoryRow(Base):
    """A category of a project; ``position`` orders them."""

    __tablename__ = "categories"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[str] = identity()
    project_id: Mapped[str] = belongs_to("projects")
    position: Mapped[int]
    name: Mapped[str]
    type: Mapped[str]
    color: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    hotkey: Mapped[str] = mapped_column(default="")
    point_size: Mapped[int | None]


class ImageRow(Base):
    """An image; its bytes lie in the storage under the hash of their content.

    ``novelty`` is a score from outside; the higher, the less like the images known.
    ``frame_id`` is the sender's, or derived from bytes, ``created`` and ``source`` where none was
    sent: repeats are found by it. ``created`` is text as the sender gave it, ``taken`` the same as
    a time (``received`` where it says none), ``received`` our time. ``number`` counts all images
    that ever came and orders those of one moment.

    ``confidence`` and ``detected`` (ids of categories) are of the detections that came last,
    ``annotated`` (ids of categories) of the annotations: copies, for lists.
    """

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("project_id", "frame_id"),
        Index("ix_images_number", "number", unique=True),
        Index("ix_images_project_state", "project_id", "state", "received", "number"),
        *(_walk(order) for order in ("received", "taken", "confidence", "novelty")),
    )

    id: Mapped[str] = identity()
    project_id: Mapped[str] = belongs_to("projects")
    frame_id: Mapped[str]
    content_hash: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    state: Mapped[str]
    split: Mapped[str]
    source: Mapped[str | None]
    camera_id: Mapped[str] = mapped_column(default="")
    novelty: Mapped[float | None]
    created: Mapped[str | None]
    received: Mapped[datetime]
    taken: Mapped[datetime]
    number: Mapped[int]
    confidence: Mapped[float | None]
    tags: Mapped[tuple[str, ...]] = mapped_column(default=())
    annotated: Mapped[tuple[str, ...]] = mapped_column(default=())
    detected: Mapped[tuple[str, ...]] = mapped_column(default=())


class DeletedFrameRow(Base):
    """A frame whose image was deleted: a sender that repeats it is told that it was stored."""

    __tablename__ = "deleted_frames"

    project_id: Mapped[str] = belongs_to("projects", primary_key=True)
    frame_id: Mapped[str] = mapped_column(primary_key=True)
    image_id: Mapped[str] = mapped_column(String(36))
    deleted: Mapped[datetime]


class AnnotationsRow(Base):
    """All annotations of an image; ``shapes`` is wire JSON, ``version`` counts the changes."""

    __tablename__ = "annotations"

    image_id: Mapped[str] = belongs_to("images", primary_key=True)
    version: Mapped[int] = mapped_column(default=1)
    shapes: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(default="")
    updated: Mapped[datetime]


class AnnotationHistoryRow(Base):
    """Annotations of an image that were replaced later."""

    __tablename__ = "annotation_history"

    image_id: Mapped[str] = belongs_to("images", primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    shapes: Mapped[dict[str, Any]]
    author: Mapped[str] = mapped_column(default="")
    updated: Mapped[datetime]


class DetectionsRow(Base):
    """All detections of one model in one image, replaced as a whole; ``shapes`` is wire JSON.

    ``project_id`` and ``number`` are those of the image, ``categories`` the ids of what was
    detected for sure: copies, for lists.
    """

    __tablename__ = "detections"
    __table_args__ = (
        Index(
            "ix_detections_of_model",
            *("project_id", "model_version", "number", "max_confidence", "categories"),
        ),
        Index(
            "ix_detections_by_confidence",
            *("project_id", "model_version", "max_confidence", "number", "categories"),
        ),
    )

    image_id: Mapped[str] = belongs_to("images", primary_key=True)
    model_version: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(String(36))
    number: Mapped[int]
    categories: Mapped[tuple[str, ...]] = mapped_column(default=())
    shapes: Mapped[dict[str, Any]]
    max_confidence: Mapped[float] = mapped_column(default=0.0)
    updated: Mapped[datetime]


class TrainingRow(Base):
    """A training: waiting, running, finished, failed, stopped or aborted.

    ``trainer_state`` is the wire's name of where the trainer is. ``wanted_trainer_id`` is the
    trainer that was asked for, None for any; ``trainer_id`` the one that has it. ``model_format``
    is what a trainer must offer to get it, empty for no matter what. ``rank`` orders those that
    wait, the lowest first. ``wish`` is what a person asked of a running training: ``stop``,
    ``abort`` or nothing.
    """

    __tablename__ = "trainings"
    __table_args__ = (UniqueConstraint("project_id", "number"),)

    id: Mapped[str] = identity()
    project_id: Mapped[str] = belongs_to("projects")
    number: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    rank: Mapped[int] = mapped_column(default=0)
    variant: Mapped[str] = mapped_column(default="")
    model_format: Mapped[str] = mapped_column(default="")
    base_model_id: Mapped[str | None]
    hyperparameters: Mapped[dict[str, Any]]
    wanted_trainer_id: Mapped[str | None]
    trainer_id: Mapped[str | None] = mapped_column(index=True)
    trainer_name: Mapped[str] = mapped_column(default="")
    trainer_state: Mapped[str | None]
    wish: Mapped[str | None]
    progress: Mapped[float | None]
    errors: Mapped[dict[str, Any]] = mapped_column(default=dict)
    train_images: Mapped[int | None]
    test_images: Mapped[int | None]
    skipped_images: Mapped[int] = mapped_column(default=0)
    created: Mapped[datetime]
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class DismissalRow(Base):
    """A trainer that is still to be told that its training is not wanted: the project is deleted.

    ``organization`` and ``project`` are the names by which the trainer knows what it works for.
    """

    __tablename__ = "dismissals"

    trainer_id: Mapped[str] = mapped_column(primary_key=True)
    organization: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[datetime]


class TrainingLogRow(Base):
    """The end of a training's log, as its trainer told it last."""

    __tablename__ = "training_logs"

    training_id: Mapped[str] = belongs_to("trainings", primary_key=True)
    text: Mapped[str]
    received: Mapped[datetime]


class EpochRow(Base):
    """The figures of one epoch of a training."""

    __tablename__ = "epochs"

    training_id: Mapped[str] = belongs_to("trainings", primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    of: Mapped[int]
    metrics: Mapped[dict[str, Any]]
    received: Mapped[datetime]


class ModelRow(Base):
    """A model; it has no version before its first files have arrived.

    ``counts`` are tp, fp and fn by category id as the trainer reported them; ``metrics`` are the
    loop's own figures on the test split, computed from the model's detections. ``retired`` is
    since when it is not offered any more.
    """

    __tablename__ = "models"
    __table_args__ = (UniqueConstraint("project_id", "version"),)

    id: Mapped[str] = identity()
    project_id: Mapped[str] = belongs_to("projects")
    training_id: Mapped[str | None] = belongs_to("trainings", index=True)
    version: Mapped[str | None]
    base_model_id: Mapped[str | None]
    categories: Mapped[list[Any]]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    best_epoch: Mapped[int | None]
    train_images: Mapped[int | None]
    test_images: Mapped[int | None]
    comment: Mapped[str] = mapped_column(default="")
    retired: Mapped[datetime | None]
    created: Mapped[datetime]


class ModelFileRow(Base):
    """A model in one format: a zip in the storage."""

    __tablename__ = "model_files"

    model_id: Mapped[str] = belongs_to("models", primary_key=True)
    format: Mapped[str] = mapped_column(primary_key=True)
    storage_key: Mapped[str]
    size_bytes: Mapped[int]
    content_hash: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]


class DeploymentRow(Base):
    """A deployment; the newest of a project is its target.

    ``restores`` is the id of the deployment that a rollback went back to.
    """

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    project_id: Mapped[str] = belongs_to("projects", index=True)
    model_id: Mapped[str] = belongs_to("models")
    restores: Mapped[int | None]
    author: Mapped[str] = mapped_column(default="")
    created: Mapped[datetime]


class ConversionRow(Base):
    """A model on its way to a format that it lacks: leased to a converter, or failed.

    The id is that of the last lease. ``error`` is empty until it fails; then nobody gets it before
    it is to be retried.
    """

    __tablename__ = "conversions"
    __table_args__ = (UniqueConstraint("model_id", "target_format"),)

    id: Mapped[str] = identity()
    model_id: Mapped[str] = belongs_to("models")
    source_format: Mapped[str]
    target_format: Mapped[str]
    converter: Mapped[str] = mapped_column(default="")
    attempts: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    lease_until: Mapped[datetime]
    updated: Mapped[datetime]


class NodeRow(Base):
    """A node that was heard from; ``status`` is its last report as JSON."""

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    project_id: Mapped[str | None] = belongs_to("projects", index=True)
    status: Mapped[dict[str, Any]]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
