"""Where the loop is and who asks: from the environment or from flags."""

import os
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


def _variable(name: str) -> AliasChoices:
    # The environment is searched without regard to case: ``name`` itself would find its short form.
    return AliasChoices(f"LOOP_{name.upper()}", name.upper())


class ClientSettings(BaseSettings):
    """``LOOP_HOST``, ``LOOP_USERNAME``, ... with their short aliases (``HOST``, ...).

    The ``LOOP_`` name wins. ``host`` may carry a scheme; without one it is plain http, except where
    the name contains ``learning-loop.ai``.
    """

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    host: str = Field(default="localhost:8000", validation_alias=_variable("host"))
    """Where the loop is: HOST:PORT, with a scheme if it is not http."""

    username: str = Field(default="", validation_alias=_variable("username"))
    """Who logs in; counts only together with a password."""

    password: SecretStr = Field(default=SecretStr(""), validation_alias=_variable("password"))
    """Better set as a variable: flags are seen by other users of the machine."""

    loop_token: SecretStr = SecretStr("")  # as long as its variable: TOKEN is somebody else's
    """An API token (el_...), shown instead of logging in; wins over username and password."""

    organization: str = Field(default="", validation_alias=_variable("organization"))
    """A detector's organization."""

    project: str = Field(default="", validation_alias=_variable("project"))
    """A detector's project."""

    ssl_cert_path: Path | None = Field(default=None, validation_alias="LOOP_SSL_CERT_PATH")
    """A CA file for https."""

    @property
    def login_name(self) -> str:
        """Who logs in; nobody where there is no password (desktops export USERNAME unasked)."""
        return self.username if self.password.get_secret_value() else ""

    @property
    def is_known(self) -> bool:
        """Whether the loop is told who asks: by a token, or by username and password."""
        return bool(self.loop_token.get_secret_value() or self.login_name)

    @property
    def asker(self) -> str:
        """Who asks, in words for people."""
        if self.loop_token.get_secret_value():
            return "the holder of LOOP_TOKEN"
        return self.login_name or "nobody: set LOOP_USERNAME and LOOP_PASSWORD, or LOOP_TOKEN"

    @property
    def base_url(self) -> str:
        """The loop's URL, with its scheme and without a slash at the end."""
        host = self.host.rstrip("/")
        if "://" in host:
            return host
        return f"https://{host}" if "learning-loop.ai" in host else f"http://{host}"


class StreamSettings(BaseSettings):
    """``EDGELOOP_STREAM_TOKEN``, ...: how `edgeloop stream` comes in where a server is guarded."""

    model_config = SettingsConfigDict(
        env_prefix="EDGELOOP_STREAM_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    token: SecretStr = SecretStr("")
    """The server's; better set as a variable: flags are seen by other users of the machine."""

    tls_authority: Path | None = None
    """Use TLS, and trust the certificates of this authority: a PEM file."""

    timeout_s: float = Field(default=10.0, gt=0, le=365 * 86_400)
    """How long an answer may take, connecting included."""


def child_environment(settings: ClientSettings, **more: str) -> dict[str, str]:
    """This process's environment for a child that shall use ``settings``, and ``more``."""
    names = {"HOST", "USERNAME", "PASSWORD", "ORGANIZATION", "PROJECT"}
    names |= {f"LOOP_{name}" for name in names} | {"LOOP_TOKEN"}
    kept = {name: value for name, value in os.environ.items() if name not in names}
    wanted = {
        "LOOP_HOST": settings.host,
        "LOOP_USERNAME": settings.username,
        "LOOP_PASSWORD": settings.password.get_secret_value(),
        "LOOP_TOKEN": settings.loop_token.get_secret_value(),
        "LOOP_ORGANIZATION": settings.organization,
        "LOOP_PROJECT": settings.project,
    }
    return kept | {name: value for name, value in wanted.items() if value} | more
