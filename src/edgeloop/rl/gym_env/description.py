"""What an environment says of itself, as a message: spaces, metadata, spec; and back."""

import logging
from dataclasses import dataclass
from typing import Any

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv

from edgeloop.errors import CodecError, ConfigError
from edgeloop.rl.gym_env.spaces import AnySpace, describe_space, space_from
from edgeloop.stream import Message
from edgeloop.stream.codec import encode

log = logging.getLogger(__name__)

AnyEnv = gymnasium.Env[Any, Any] | VectorEnv[Any, Any, Any]
_AUTORESET = "autoreset_mode"
_SPACES = ("observation_space", "action_space")
_VECTOR_SPACES = (*_SPACES, "single_observation_space", "single_action_space")
_SPEC_FIELDS = (
    "reward_threshold",
    "nondeterministic",
    "max_episode_steps",
    "order_enforce",
    "disable_env_checker",
    "kwargs",
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a client knows of an environment; ``num_envs`` is 0 for a single one."""

    num_envs: int
    spaces: dict[str, AnySpace]
    metadata: dict[str, Any]
    render_mode: str | None
    spec: EnvSpec | None


def describe(env: AnyEnv) -> Message:
    """``env`` as a message; raises ConfigError naming the space that cannot travel.

    Metadata that cannot travel are left out, with a warning.
    """
    is_vector = isinstance(env, VectorEnv)
    return {
        "num_envs": env.num_envs if isinstance(env, VectorEnv) else 0,
        "spaces": {
            name: _described_space(env, name) for name in (_VECTOR_SPACES if is_vector else _SPACES)
        },
        "metadata": _described_metadata(env.metadata),
        "render_mode": env.render_mode,
        "spec": _described_spec(env.spec),
    }


def description_from(message: Any) -> Description:
    """What was described; raises CodecError."""
    try:
        metadata = dict(message["metadata"])
        if _AUTORESET in metadata:
            metadata[_AUTORESET] = AutoresetMode(metadata[_AUTORESET])
        return Description(
            num_envs=int(message["num_envs"]),
            spaces={str(name): space_from(space) for name, space in message["spaces"].items()},
            metadata=metadata,
            render_mode=message["render_mode"],
            spec=_spec(message["spec"]),
        )
    except (AttributeError, LookupError, TypeError, ValueError, gymnasium.error.Error) as error:
        raise CodecError(
            f"The description of the environment is not readable ({error!r})."
        ) from error


def _described_space(env: AnyEnv, name: str) -> Message:
    try:
        return describe_space(getattr(env, name))
    except ConfigError as error:
        raise ConfigError(f"{name}{'' if str(error)[0] == '[' else ': '}{error}") from None


def _described_metadata(metadata: dict[str, Any]) -> Message:
    described: Message = {}
    for name, value in metadata.items():
        plain = value.value if isinstance(value, AutoresetMode) else value
        try:
            encode({name: plain})
        except CodecError as error:
            log.warning("Clients do not see all metadata of the environment: %s", error)
        else:
            described[name] = plain
    return described


def _described_spec(spec: EnvSpec | None) -> Message | None:
    """The spec without what would be code: entry points and wrappers."""
    if spec is None:
        return None
    described = {"id": spec.id, **{name: getattr(spec, name) for name in _SPEC_FIELDS}}
    try:
        encode(described)
    except CodecError as error:
        log.warning("Clients do not see the spec of the environment: %s", error)
        return None
    return described


def _spec(described: Any) -> EnvSpec | None:
    """A spec whose entry point, if there is one, is what is registered here under its id."""
    if described is None:
        return None
    known = gymnasium.registry.get(described["id"])
    return EnvSpec(
        str(described["id"]),
        entry_point=None if known is None else known.entry_point,
        vector_entry_point=None if known is None else known.vector_entry_point,
        **{name: described[name] for name in _SPEC_FIELDS},
    )
