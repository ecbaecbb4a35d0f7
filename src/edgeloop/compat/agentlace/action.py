"""agentlace.action: a robot's server, and clients that ask it to observe and to act."""

import copy
import logging
import threading
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from edgeloop import stream
from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.lines import Line
from edgeloop.compat.agentlace.payloads import owned, unwrap, wrap
from edgeloop.errors import NotFound
from edgeloop.stream import Message

log = logging.getLogger(__name__)

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_INVALID = {"success": False, "message": "Invalid payload"}

ObsCallback = Callable[[set[str]], Any]
ActCallback = Callable[[str, Any], Any]


@dataclass
class ActionConfig:
    """What a robot can do and observe; the same on both sides.

    Without a ``broadcast_port`` nothing is published; which one it is has no effect, as one port
    carries all.
    """

    port_number: int
    action_keys: list[str]
    observation_keys: list[str]
    broadcast_port: int | None = None
    version: str = "0.0.1"


class ActionServer:
    """Answers by the callbacks, one call at a time; at all interfaces. ``log_level``: no effect.

    ``config`` is a copy: with the port number 0 it has the one that was found.
    """

    def __init__(
        self,
        config: ActionConfig,
        obs_callback: ObsCallback | None,
        act_callback: ActCallback | None,
        log_level: int = logging.WARNING,
    ) -> None:
        del log_level
        self.config = copy.deepcopy(config)
        self._observe = obs_callback
        self._act = act_callback
        self._turn = threading.Lock()
        self._host = Host(self._make, config.port_number, daemon=True)
        self.config.port_number = self._host.port

    @property
    def server(self) -> stream.ActionServer:
        """What answers, and broadcasts."""
        return self._host.hosted

    @property
    def broadcast(self) -> stream.ActionServer:
        """The same; AttributeError without a ``broadcast_port``."""
        if self.config.broadcast_port is None:
            raise AttributeError("There is no broadcast_port in the config.")
        return self._host.hosted

    @property
    def thread(self) -> threading.Thread | None:
        """Lives while the server answers, if it was started threaded."""
        return self._host.thread

    def start(self, threaded: bool = False) -> None:
        """Answer until it is stopped; ``threaded`` returns at once."""
        self._host.start(threaded=threaded)

    def publish_obs(self, payload: Any) -> bool:
        """Tell those who listen; False without a ``broadcast_port``."""
        if self.config.broadcast_port is None:
            log.warning("nothing is published: the config has no broadcast_port")
            return False
        self.server.publish_obs(wrap(payload))
        return True

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def _make(self, port: int) -> stream.ActionServer:
        return stream.ActionServer(
            _plain(self.config),
            None if self._observe is None else self._answer_obs,
            None if self._act is None else self._answer_act,
            url=everywhere(port),
        )

    def _answer_obs(self, keys: set[str]) -> Message:
        with self._turn:
            return wrap(self._observe and self._observe(keys))

    def _answer_act(self, key: str, message: Message) -> Message:
        with self._turn:
            return wrap(self._act and self._act(key, unwrap(message)))


class ActionClient:
    """Asks an action server. Raises Exception where there is none, or another config's.

    ``client.timeout_ms`` may be changed at any time.
    """

    def __init__(
        self,
        server_ip: str,
        config: ActionConfig,
        wait_for_server: bool = False,
        timeout_ms: float = 800,
    ) -> None:
        self.server_ip = server_ip
        self.config = copy.deepcopy(config)
        self.client = Line(server_ip, config.port_number, timeout_ms)
        self.broadcast_client: stream.Subscription | None = None
        self._asked = self.client.join(
            lambda options: stream.ActionClient(server_ip, _plain(config), **options),
            "action server",
            wait=wait_for_server,
        )
        weakref.finalize(self, self._asked.close)

    def obs(self, keys: set[str] | None = None) -> Any:
        """The observations, by default all; None, and a warning, where there was no answer.

        Raises AssertionError for an unknown key.
        """
        for key in keys or ():
            if key not in self.config.observation_keys:
                raise AssertionError(f"Invalid obs key: {key}")
        wanted = None if keys is None else sorted(keys)
        return self._ask(lambda: self._asked.obs(wanted, timeout_s=self.client.timeout_s), {})

    def act(self, key: str, payload: Any = _NOTHING) -> Any:
        """What came of it; None, and a warning, where there was no answer.

        Raises Exception for an unknown key, CodecError for a payload that cannot be sent.
        """
        if key not in self.config.action_keys:
            raise Exception(f"Invalid action key: {key}")
        sent = wrap(payload)
        return self._ask(lambda: self._asked.act(key, sent, timeout_s=self.client.timeout_s), sent)

    def register_obs_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back with what the server publishes, the newest only where that is slow.

        Raises Exception without a ``broadcast_port`` in the config.
        """
        if self.config.broadcast_port is None:
            raise Exception("Broadcast server not initialized")
        self.stop()

        def hand_on(message: Message, _: ActionClient = self) -> None:  # listening, we live on
            callback(owned(unwrap(message)))

        self.broadcast_client = self._asked.register_obs_callback(hand_on)

    def stop(self) -> None:
        """Listen no more; `obs` and `act` go on."""
        if self.broadcast_client:
            self.broadcast_client.close()

    def _ask(self, call: Callable[[], Message], sent: Message) -> Any:
        try:
            answer = self.client.ask(call, sent, refused=(NotFound,))
        except NotFound:  # the server lacks that callback
            return dict(_INVALID)
        return None if answer is None else unwrap(answer)


def _plain(config: ActionConfig) -> stream.ActionConfig:
    return stream.ActionConfig(
        config.port_number, config.action_keys, config.observation_keys, config.version
    )
