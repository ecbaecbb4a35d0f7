"""The server of an environment: one client at a time, every step once."""

import functools
from collections.abc import Callable
from typing import Any, Unpack

import gymnasium
from gymnasium.vector import SyncVectorEnv, VectorEnv

from edgeloop.errors import ConfigError, Conflict, EnvironmentLost, InputError
from edgeloop.rl.gym_env.description import AnyEnv, describe
from edgeloop.rl.gym_env.generators import describe_generator, generator_from
from edgeloop.rl.gym_env.infos import take_apart
from edgeloop.rl.gym_env.tenancy import Tenancy, Tenant
from edgeloop.rl.gym_env.thread import EnvThread
from edgeloop.stream import Message
from edgeloop.stream.service import ServerOptions, Service
from edgeloop.stream.transport import Counters

KIND = "gym"
DEFAULT_PORT = 5546
LONGEST_PATIENCE_S = 60.0
_LONGEST_NAME = 64

MakeEnv = Callable[[], AnyEnv]


class GymEnvServer(Service):
    """Lets one `GymEnvClient` at a time, or `GymVectorEnvClient`, use an environment.

    ``env`` is an environment, a vector environment, or a function that makes one: it is called in
    the thread that the environment is then used and closed in, as rendering and simulators often
    need it. With ``num_envs`` the function makes the copies of a `SyncVectorEnv`, which resets
    them in the step after their end; for anything else make a vector environment yourself.

    A client that was silent for ``silence_s`` gives way to the next; no client before that, unless
    the next one passes ``takeover=True``. The server closes the environment, clients do not.

    Raises ConfigError where it cannot listen or a space cannot travel, and what ``env()`` raises.
    """

    def __init__(
        self,
        env: AnyEnv | MakeEnv,
        *,
        num_envs: int = 0,
        silence_s: float = 60.0,
        **options: Unpack[ServerOptions],
    ) -> None:
        self._thread = EnvThread(_maker(env, num_envs), lambda env: env.close())
        self._env = self._thread.env
        self._tenancy: Tenancy[Message] = Tenancy(silence_s)
        self._steps = self._resets = 0
        try:
            self._described = describe(self._env)
            is_vector = isinstance(self._env, VectorEnv)
            super().__init__(KIND, DEFAULT_PORT, options, {"is_vector": is_vector})
        except BaseException:
            self._thread.close()
            raise
        self.routes |= {
            "enter": self._enter,
            "leave": self._leave,
            "reset": functools.partial(self._do, self._reset),
            "step": functools.partial(self._do, self._step),
            "render": functools.partial(self._do, self._render),
            "random": functools.partial(self._do, self._random),
            "randomize": functools.partial(self._do, self._randomize),
        }

    def about(self) -> Message:
        """What it says of itself: also ``environment``, its spaces, metadata and spec."""
        return {**super().about(), "environment": self._described}

    def counters(self) -> Counters:
        """What happened so far: also ``steps`` and ``resets`` begun, ``repeats``, ``takeovers``.

        Repeats are requests that came again and got the answer that they had.
        """
        return {
            **super().counters(),
            "steps": self._steps,
            "resets": self._resets,
            "repeats": self._tenancy.repeats,
            "takeovers": self._tenancy.takeovers,
        }

    def close(self) -> None:
        """Close all connections, then the environment when its present step is done. Idempotent."""
        super().close()
        self._thread.close()

    def _enter(self, message: Message) -> Message:
        match message:
            case {"client": str(client), "takeover": bool(takeover)} if _is_name(client):
                try:
                    session = self._tenancy.enter(client, takeover=takeover)
                except Conflict as error:
                    return _refused(error)
                return {"session": session, "environment": self._described}
        raise InputError("To enter takes client, a name, and takeover, a bool.")

    def _leave(self, message: Message) -> Message:
        self._tenancy.leave(str(message.get("session")))
        return {}

    def _do(
        self, action: Callable[[Tenant[Message], Message], Message], message: Message
    ) -> Message:
        """The answer to a request, or that it is not there yet: then the client asks again."""
        session, sequence, patience_s = _numbering(message)
        try:
            turn = self._tenancy.turn(
                session,
                sequence,
                lambda tenant: self._thread.submit(lambda: action(tenant, message)),
            )
        except (Conflict, EnvironmentLost) as error:
            return _refused(error)
        return turn.result() if turn.wait(patience_s) else {"is_busy": True}

    def _reset(self, tenant: Tenant[Message], message: Message) -> Message:
        observation, infos = self._env.reset(seed=message["seed"], options=message["options"])
        self._resets += 1
        tenant.may_step = True
        return {"observation": observation} | _described_infos(infos)

    def _step(self, tenant: Tenant[Message], message: Message) -> Message:
        if not tenant.may_step:
            raise gymnasium.error.ResetNeeded("Reset the environment before the first step.")
        self._steps += 1
        observation, reward, terminated, truncated, infos = self._env.step(message["action"])
        return {
            "observation": observation,
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
        } | _described_infos(infos)

    def _render(self, tenant: Tenant[Message], message: Message) -> Message:
        return {"frame": self._env.render()}

    def _random(self, tenant: Tenant[Message], message: Message) -> Message:
        generators = self._env.np_random
        described = (
            [describe_generator(generator) for generator in generators]
            if isinstance(generators, tuple)
            else describe_generator(generators)
        )
        return {"seed": self._env.np_random_seed, "state": described}

    def _randomize(self, tenant: Tenant[Message], message: Message) -> Message:
        self._env.np_random = generator_from(message["state"])
        return {}


def _maker(env: AnyEnv | MakeEnv, num_envs: int) -> MakeEnv:
    if isinstance(env, gymnasium.Env | VectorEnv):
        if num_envs:
            raise ConfigError(
                "Copies of an environment need a function that makes one: "
                "GymEnvServer(lambda: gymnasium.make(...), num_envs=...)."
            )
        return lambda: env
    if not num_envs:
        return env
    return lambda: SyncVectorEnv([env] * num_envs)  # type: ignore[list-item]


def _numbering(message: Message) -> tuple[str, int, float]:
    session, sequence = message.get("session"), message.get("sequence")
    patience_s = message.get("patience_s")
    if type(session) is not str or type(sequence) is not int or type(patience_s) is not float:
        raise InputError("A request has a session, a sequence (int), and patience_s (float).")
    if not 0.0 <= patience_s <= LONGEST_PATIENCE_S:
        raise InputError(f"patience_s is 0 to {LONGEST_PATIENCE_S:g} s, not {patience_s}.")
    return session, sequence, patience_s


def _described_infos(infos: Any) -> Message:
    plain, places = take_apart(infos)
    return {"infos": plain, "objects": places} if places else {"infos": plain}


def _refused(error: Exception) -> Message:
    return {"refused": type(error).__name__, "why": str(error)}


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME
