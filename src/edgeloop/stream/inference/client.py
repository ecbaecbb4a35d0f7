"""Calls the interfaces of an inference server."""

from typing import Unpack

from edgeloop.stream.inference.names import KIND, route_of
from edgeloop.stream.service import ClientOptions, ServiceClient, open_client
from edgeloop.stream.transport import Message


class InferenceClient(ServiceClient):
    """Calls an `InferenceServer`. May be used from several threads.

    ``server`` is a host (with ``port_num``), HOST:PORT or a URL. Raises StreamTimeout where no
    server answers, ConfigMismatch where another kind does, Unauthenticated, ConfigError.
    """

    def __init__(
        self, server: str, port_num: int | None = None, **options: Unpack[ClientOptions]
    ) -> None:
        super().__init__(open_client(server, port_num, KIND, None, options))

    def interfaces(self) -> set[str]:
        """The names that can be called now."""
        return set(self._call("about", {}, None)["interfaces"])

    def call(self, name: str, payload: Message, *, timeout_s: float | None = None) -> Message:
        """What the interface answers. Arrays in it are writable and yours.

        Raises NotFound for an unknown name; RemoteError where the callback raised; StreamTimeout
        after ``timeout_s`` (default: the client's); StreamClosed where the connection broke and
        the call may or may not have been answered; CodecError, TooLarge.
        """
        return self._call(route_of(name), payload, timeout_s)
