"""What can be set for the loop, from the environment or from flags."""

from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_folder() -> Path:
    """Where a loop keeps its data when nothing else was said."""
    return Path(platformdirs.user_data_dir("edgeloop")) / "loop"


class LoopSettings(BaseSettings):
    """Settings of the loop; each is a flag of ``edgeloop loop`` and a variable ``EDGELOOP_*``."""

    model_config = SettingsConfigDict(
        env_prefix="EDGELOOP_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """The address it listens on; 0.0.0.0 lets other machines in."""

    port: int = Field(default=8000, ge=0, le=65535)
    """The port it listens on; 0 takes a free one."""

    data_folder: Path = Field(default_factory=default_data_folder)
    """Where the database and all files are."""

    database_url: str | None = None
    """Another database than the SQLite file in the data folder."""

    admin_password: SecretStr | None = None
    """The password of admin at the first start; else one is made up and shown once."""

    session_days: int = Field(default=30, ge=1)
    """How long a login lasts without use."""

    device_logins: bool = True
    """Whether an empty login is answered, as newer published detectors want it; it lends nothing.
    """

    local_devices: bool = True
    """Whether programs of the loop's own host are let in as devices, and read its figures, without
    a login. Turn it off behind a proxy that does not say for whom it asks.
    """

    device_uploads_per_minute: int = Field(default=1200, ge=0)
    """How often an address may upload without a login; 0: as often as it likes."""

    max_upload_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    """The largest request."""

    max_image_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """The largest image."""

    body_idle_s: float = Field(default=30.0, gt=0)
    """The longest pause while a request is being sent; then it ends with 408."""

    body_min_bytes_per_s: float = Field(default=1000.0, ge=0)
    """How fast a request must come on average, from half a minute on."""

    body_within_s: float = Field(default=7200.0, gt=0)
    """How long sending a request may take in all."""

    test_routes: bool = False
    """Serve the test suites of published clients: a project generator, the project zauberzeug/demo,
    and any password for admin. Refused on a public address; never for a loop with data."""

    log_json: bool = False
    """Log one JSON object per line, for programs that collect logs."""

    stop_within_s: float = Field(default=30.0, ge=0)
    """How long requests that are in flight may go on when the loop is asked to end."""

    @property
    def database(self) -> str:
        """The URL of the database: SQLite in the data folder by default."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data_folder / 'loop.sqlite'}"
