"""Where a server is: tcp://, unix://, grpc:// and zmq:// URLs, or plain HOST:PORT."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from edgeloop.errors import ConfigError

THIS_HOST = "127.0.0.1"
SCHEMES = ("grpc", "tcp", "unix", "zmq")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, or (``unix``) the path of a socket."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def url(self) -> str:
        """As a URL."""
        if self.scheme == "unix":
            return f"unix://{self.path}"
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def is_public(self) -> bool:
        """Whether other hosts can reach it, as far as its name tells."""
        if self.scheme == "unix" or self.host == "localhost":
            return False
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return True

    @property
    def authority(self) -> str:
        """HOST:PORT, an IPv6 address in brackets."""
        return f"{_bracketed(self.host)}:{self.port}"


def parse_address(url: str) -> Address:
    """Read a URL; raises ConfigError.

    Without a scheme it is tcp, without a host this one; port 0 is any free one.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "tcp", url
    if scheme not in SCHEMES:
        raise ConfigError(f"{url}: use one of {', '.join(f'{name}://' for name in SCHEMES)}.")
    if scheme == "unix":
        if not rest:
            raise ConfigError(f"{url}: a path is missing, as in unix:///run/robot.sock.")
        return Address(scheme, path=rest)
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{url}: {error}.") from error
    if port is None or parts.path not in ("", "/"):
        raise ConfigError(f"{url}: write HOST:PORT, as in tcp://127.0.0.1:5555.")
    return Address(scheme, host or THIS_HOST, port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
