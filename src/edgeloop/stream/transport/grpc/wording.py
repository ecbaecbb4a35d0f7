"""What both sides of a gRPC connection must agree on."""

from pathlib import Path

from edgeloop.errors import ConfigError
from edgeloop.stream.transport.base import Limits, Security, Tls
from edgeloop.stream.transport.envelopes import OVERHEAD_BYTES

SERVICE = "edgeloop.Stream"
CALL = "Call"
SUBSCRIBE = "Subscribe"
TOKEN = "edgeloop-token-bin"
"""The metadata that carries the token."""

Options = list[tuple[str, int]]


def options(limits: Limits) -> Options:
    """Bounds and keep-alives of a channel or a server."""
    most = min(limits.message_bytes + OVERHEAD_BYTES, (1 << 31) - 1)
    return [
        ("grpc.max_receive_message_length", most),
        ("grpc.max_send_message_length", most),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
    ]


def tls_of(security: Security | None) -> Tls | None:
    """The certificates; raises ConfigError for other kinds of security."""
    if security is None or isinstance(security, Tls):
        return security
    raise ConfigError("Curve keys are for zmq:// URLs: use Tls here.")


def read(file: Path | None) -> bytes | None:
    """The content of a PEM file; raises ConfigError."""
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"The certificate cannot be used ({error}): check the file.") from error
