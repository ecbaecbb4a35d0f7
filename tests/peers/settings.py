"""Which loop the published clients are tested against."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from edgeloop.client import ClientSettings


class TestedLoop(BaseSettings):
    """``LOOP_HOST``, ``LOOP_USERNAME``, ``LOOP_PASSWORD``: a loop other than one of ours."""

    model_config = SettingsConfigDict(env_prefix="LOOP_", env_ignore_empty=True, extra="ignore")
    __test__ = False

    host: str = ""
    """HOST[:PORT] of a loop that runs already; the tests start one of their own without it."""

    username: str = "admin"
    """An account that may make projects."""

    password: SecretStr = SecretStr("")
    """Its password."""

    def to_client(self) -> ClientSettings:
        """How to reach it."""
        host = self.host.removeprefix("http://").rstrip("/")
        return ClientSettings(host=host, username=self.username, password=self.password)
