"""Where a server is: from a host and a port, or a URL."""

from ipaddress import IPv6Address

from edgeloop.errors import ConfigError


def server_url(server: str, port: int | None) -> str:
    """Where ``server`` is: a URL or HOST:PORT as they are, a plain host with ``port``.

    Raises ConfigError for a plain host where no port is known.
    """
    if "://" in server:
        return server
    host = f"[{server}]" if _is_ipv6(server) else server
    if ":" in host.rpartition("]")[2]:
        return f"tcp://{host}"
    if not port:
        raise ConfigError(f"The port of {server or 'the server'} is missing: write HOST:PORT.")
    return f"tcp://{host}:{port}"


def _is_ipv6(server: str) -> bool:
    try:
        IPv6Address(server)
    except ValueError:
        return False
    return True
