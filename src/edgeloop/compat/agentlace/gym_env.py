"""agentlace.gym_env: a Gymnasium environment over the network; every step is made once."""

import logging
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import gymnasium

from edgeloop import rl
from edgeloop.compat.agentlace.action import ActionConfig
from edgeloop.compat.agentlace.hosting import Host, everywhere
from edgeloop.compat.agentlace.lines import Line
from edgeloop.errors import StreamClosed, StreamTimeout

log = logging.getLogger(__name__)

T = TypeVar("T")

DefaultActionConfig = ActionConfig(
    port_number=5546,
    action_keys=["reset", "step", "render", "close"],
    observation_keys=["observation_space", "action_space"],
    broadcast_port=5547,
)
"""What agentlace's two classes used; nothing here reads it."""


class GymEnvClient(gymnasium.Env[Any, Any]):
    """The environment of a `GymEnvServerWrapper`. The newest client has it.

    A server that is silent is asked again, for ever, every ``retry_interval`` seconds; what it did
    it does not do again. Raises Exception where there is no server.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 5546,
        retry_interval: float = 0.5,
        timeout_ms: float = 800,
    ) -> None:
        self.retry_interval = retry_interval
        self._env = Line(host, port, timeout_ms).join(
            lambda options: rl.GymEnvClient(host, port, takeover=True, **options),
            "action server",
            wait=False,
        )
        self.observation_space = self._env.observation_space
        self.action_space = self._env.action_space

    def step(self, action: Any) -> Any:
        """One step: (observation, reward, terminated, truncated, info)."""
        return self._try(lambda: self._env.step(action))

    def reset(self, **kwargs: Any) -> Any:
        """Begin an episode, by ``seed`` and ``options``: (observation, info)."""
        return self._try(lambda: self._env.reset(**kwargs))

    def render(self, **kwargs: Any) -> Any:
        """What the environment renders where it is."""
        return self._try(lambda: self._env.render(**kwargs))

    def close(self) -> None:
        """Give way to the next client; the environment is the server's."""
        self._env.close()

    def _try(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except (StreamTimeout, StreamClosed) as error:
                log.warning("waiting for the environment: %s", error)
                threading.Event().wait(self.retry_interval)


class GymEnvServerWrapper(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Lets clients use an environment; at all interfaces. It stays open when this is stopped."""

    def __init__(self, env: gymnasium.Env[Any, Any], port: int = 5546) -> None:
        super().__init__(env)
        self._host = Host(self._make, port, daemon=True)
        self.port = self._host.port

    def start(self, threaded: bool = False) -> None:
        """Answer until it is stopped; ``threaded`` returns at once."""
        self._host.start(threaded=threaded)

    def stop(self) -> None:
        """End."""
        self._host.stop()

    def _make(self, port: int) -> rl.GymEnvServer:
        return rl.GymEnvServer(_LeftOpen(self.env), url=everywhere(port))


class _LeftOpen(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that its server does not close."""

    def close(self) -> None:
        """Nothing."""
