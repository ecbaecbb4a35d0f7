"""Certificates -> contexts of the standard library's ssl."""

import ssl

from edgeloop.errors import ConfigError
from edgeloop.stream.transport.base import Security, Tls


def server_context(security: Security | None) -> ssl.SSLContext | None:
    """What a server uses, None without TLS; raises ConfigError."""
    tls = _tls(security)
    if tls is None:
        return None
    if tls.certificate is None or tls.key is None:
        raise ConfigError("A server with TLS needs a certificate and its key.")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, tls)
    context.num_tickets = 0  # connections are kept: nothing is resumed
    if tls.authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(security: Security | None) -> ssl.SSLContext | None:
    """What a client uses, None without TLS; raises ConfigError."""
    tls = _tls(security)
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.authority is None:
        context.load_default_certs()
    _load(context, tls)
    return context


def _tls(security: Security | None) -> Tls | None:
    if security is None or isinstance(security, Tls):
        return security
    raise ConfigError("Curve keys are for zmq:// URLs: use Tls here.")


def _load(context: ssl.SSLContext, tls: Tls) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
        if tls.authority is not None:
            context.load_verify_locations(tls.authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"The certificate cannot be used ({error}): check the PEM files."
        ) from error
