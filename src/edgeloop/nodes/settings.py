"""What can be set for nodes, from the environment or from flags."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

import platformdirs
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from edgeloop.errors import ConfigError
from edgeloop.protocol.payloads.parsing import fault_said

S = TypeVar("S", bound=BaseSettings)


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


VersionControl = Annotated[Literal["follow_loop", "pause"], BeforeValidator(_lower)]


class NodeSettings(BaseSettings):
    """What all nodes share: ``NODE_NAME``, ``NODE_HOST``, ``NODE_PORT``, ``NODE_VERSION``, ...

    The name is also the identity: its uuid and, by default, its data folder belong to it.
    """

    model_config = SettingsConfigDict(
        env_prefix="NODE_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    name: str = Field(pattern=r"^\w[\w .-]*$", max_length=100)
    """Its identity: its id and its data belong to the name."""

    host: str = "127.0.0.1"
    """The address it listens on; 0.0.0.0 lets other machines in."""

    port: int = Field(ge=0, le=65535)
    """The port it listens on; 0 takes a free one."""

    version: str | None = None
    """The version of the node's software, as it is reported to the loop; edgeloop's by default."""

    data_folder: Path | None = Field(default=None, validation_alias="DATA_FOLDER")
    """Where its models, outbox and trainings are; by default a folder of its name."""

    use_backdoor_controls: bool = Field(default=False, validation_alias="USE_BACKDOOR_CONTROLS")
    """Controls for tests; never on a network."""

    max_request_bytes: int = Field(default=256 * 1024 * 1024, ge=1024)
    """The largest request."""

    keep_models: int = Field(default=3, ge=1)
    """How many downloaded models stay on the disk."""

    @property
    def folder(self) -> Path:
        """Where the node keeps its data."""
        return self.data_folder or Path(platformdirs.user_data_dir("edgeloop")) / self.name


class DetectorSettings(NodeSettings):
    """Settings of a detector node."""

    name: str = Field(default="detector", pattern=r"^\w[\w .-]*$", max_length=100)
    """Its identity: its id and its data belong to the name."""

    port: int = Field(default=8004, ge=0, le=65535)
    """The port it listens on; 0 takes a free one."""

    min_uncertain_threshold: float = Field(
        default=0.3, ge=0, le=1, validation_alias="MIN_UNCERTAIN_THRESHOLD"
    )
    """From this confidence on, a detection makes a frame worth a look ..."""

    max_uncertain_threshold: float = Field(
        default=0.6, ge=0, le=1, validation_alias="MAX_UNCERTAIN_THRESHOLD"
    )
    """... up to this one."""

    version_control_default: VersionControl = Field(
        default="follow_loop", validation_alias="VERSION_CONTROL_DEFAULT"
    )
    """follow_loop, or pause to keep the last model."""

    max_outbox_size: int = Field(default=10_000, ge=1, validation_alias="MAX_OUTBOX_SIZE")
    """The most frames that wait on the disk; beyond it the oldest go."""

    max_waiting: int = Field(default=64, ge=1)
    """The most frames that wait for the model; beyond it callers are refused."""

    memory_s: float = Field(default=600.0, ge=0)
    """How long an uncertain place counts as already seen by its camera."""

    target_interval_s: float = Field(default=5.0, gt=0)
    """How often it asks for the deployment target."""

    report_interval_s: float = Field(default=30.0, gt=0)
    """How often it reports its status."""

    @model_validator(mode="after")
    def _band_is_a_band(self) -> Self:
        if self.min_uncertain_threshold > self.max_uncertain_threshold:
            raise ValueError("MIN_UNCERTAIN_THRESHOLD is above MAX_UNCERTAIN_THRESHOLD")
        return self


class TrainerSettings(NodeSettings):
    """Settings of a trainer node."""

    name: str = Field(default="trainer", pattern=r"^\w[\w .-]*$", max_length=100)
    """Its identity: its id and its data belong to the name."""

    port: int = Field(default=8001, ge=0, le=65535)
    """The port it listens on; 0 takes a free one."""

    inference_batch_size: int = Field(default=10, ge=1, validation_alias="INFERENCE_BATCH_SIZE")
    """Images at once when the new model labels the project's images."""

    restart_after_training: bool = Field(default=False, validation_alias="RESTART_AFTER_TRAINING")
    """End after each training, so that a supervisor starts it afresh."""

    keep_old_trainings: bool = Field(default=False, validation_alias="KEEP_OLD_TRAININGS")
    """Keep the folders of trainings that have ended."""

    idle_timeout_s: float | None = Field(
        default=None, gt=0, validation_alias="TRAINER_IDLE_TIMEOUT_SEC"
    )
    """End after so many idle seconds."""


def settings_from_environment(kind: type[S]) -> S:
    """What the variables say; raises ConfigError that names the first wrong one."""
    try:
        return kind()
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
        prefix = kind.model_config.get("env_prefix", "")
        place = [f"{prefix}{n}".upper() if n in kind.model_fields else n for n in fault["loc"]]
        said = fault_said(place or ["What is set"], fault["msg"])
        raise ConfigError(f"{said} Correct it in the environment.") from error
