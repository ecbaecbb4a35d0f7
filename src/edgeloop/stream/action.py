"""The pair of a robot: a server that acts and observes, clients that ask it to."""

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import Any, Unpack

from edgeloop.errors import ConfigError, InputError, NotFound
from edgeloop.stream.service import (
    ClientOptions,
    ServerOptions,
    Service,
    ServiceClient,
    open_client,
)
from edgeloop.stream.transport import Message, Publication, Subscription

KIND = "action"
OBSERVATIONS = "obs"

ObsCallback = Callable[[set[str]], Message]
"""The wanted keys -> the observations by key."""
ActCallback = Callable[[str, Message], Message]
"""(key, payload) -> what came of it."""


@dataclasses.dataclass(frozen=True, slots=True)
class ActionConfig:
    """What a robot can do and observe; the same on both sides, the port apart.

    ``port_number`` 0 is any free one. Raises ConfigError for keys that are a single text.
    """

    port_number: int
    action_keys: Sequence[str]
    observation_keys: Sequence[str]
    version: str = "0.0.1"

    def __post_init__(self) -> None:
        for field in ("action_keys", "observation_keys"):
            keys = getattr(self, field)
            if isinstance(keys, str):
                raise ConfigError(f"{field} is a list of texts: write [{keys!r}].")
            object.__setattr__(self, field, tuple(keys))


class ActionServer(Service):
    """Answers `ActionClient.obs` and `ActionClient.act` by the callbacks; tells subscribers.

    Callbacks run in several threads at once: a lock is theirs to take. One that raises is told to
    its caller as RemoteError. Raises ConfigError where it cannot listen.
    """

    def __init__(
        self,
        config: ActionConfig,
        obs_callback: ObsCallback | None = None,
        act_callback: ActCallback | None = None,
        **options: Unpack[ServerOptions],
    ) -> None:
        self.config = config
        self._observe = obs_callback
        self._act = act_callback
        super().__init__(KIND, config.port_number, options, dataclasses.asdict(config))
        self.routes |= {"obs": self._answer_obs, "act": self._answer_act}

    def publish_obs(self, payload: Message) -> int:
        """Make ``payload`` the current observation and tell all subscribers; says its version.

        It is copied before this returns. A slow subscriber gets the newest only, a late one the
        current one at once. Raises CodecError, TooLarge, StreamClosed after `close`.
        """
        return self.transport.publish(OBSERVATIONS, payload)

    def _answer_obs(self, message: Message) -> Message:
        if self._observe is None:
            raise NotFound("This server has no obs_callback: it only publishes observations.")
        match message:
            case {"keys": [*keys]}:
                wanted = {str(key) for key in keys}
            case {"keys": None}:
                wanted = set(self.config.observation_keys)
            case _:
                raise InputError("A request for observations has keys, a list of texts or None.")
        _check_known(wanted, self.config.observation_keys, "observation")
        return self._observe(wanted)

    def _answer_act(self, message: Message) -> Message:
        if self._act is None:
            raise NotFound("This server has no act_callback: it cannot act.")
        match message:
            case {"key": str(key), "payload": dict(payload)}:
                _check_known({key}, self.config.action_keys, "action")
                return self._act(key, payload)
        raise InputError("A request to act has a key, a text, and a payload, a dict.")


class ActionClient(ServiceClient):
    """Asks an `ActionServer` to act and observe. May be used from several threads.

    ``server`` is a host (the port is the config's), HOST:PORT or a URL. Raises ConfigMismatch with
    the fields that differ, StreamTimeout where no server answers, Unauthenticated, ConfigError.
    """

    def __init__(self, server: str, config: ActionConfig, **options: Unpack[ClientOptions]) -> None:
        self.config = config
        super().__init__(
            open_client(server, config.port_number, KIND, dataclasses.asdict(config), options)
        )

    def obs(
        self, keys: Collection[str] | None = None, *, timeout_s: float | None = None
    ) -> Message:
        """The observations called ``keys``, by default all. Arrays are writable and yours.

        Raises NotFound for an unknown key, before anything is sent; RemoteError where the callback
        raised, and what `Client.call` raises: StreamTimeout, StreamClosed.
        """
        wanted = None if keys is None else list(keys)
        _check_known(wanted or (), self.config.observation_keys, "observation")
        return self._call("obs", {"keys": wanted}, timeout_s)

    def act(
        self, key: str, payload: Message | None = None, *, timeout_s: float | None = None
    ) -> Message:
        """Do ``key``; says what came of it. It is never repeated by itself.

        Raises NotFound for an unknown key, before anything is sent; RemoteError where the callback
        raised; StreamTimeout and StreamClosed, after which it may or may not have been done.
        """
        _check_known((key,), self.config.action_keys, "action")
        return self._call("act", {"key": key, "payload": payload or {}}, timeout_s)

    def register_obs_callback(self, callback: Callable[[Message], None]) -> Subscription:
        """Call back with the current published observation and each newer one, in one thread.

        While a callback runs newer ones replace each other. An error that it raises is logged and
        counted, and does not end the subscription. Arrays are read-only.
        """

        def tell(publication: Publication) -> None:
            callback(publication.message)

        return self.transport.subscribe(OBSERVATIONS, tell)


def _check_known(keys: Collection[Any], known: Sequence[str], what: str) -> None:
    unknown = sorted(str(key) for key in keys if key not in known)
    if unknown:
        raise NotFound(
            f"There is no {what} {', '.join(unknown)}: there are {', '.join(known) or 'none'}."
        )
