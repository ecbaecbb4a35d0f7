"""A server's answers as what Gymnasium's methods return."""

from typing import Any

from edgeloop.errors import CodecError
from edgeloop.rl.gym_env.generators import generator_from
from edgeloop.rl.gym_env.infos import put_together
from edgeloop.stream import Message

Infos = dict[str, Any]


def begun(answer: Message) -> tuple[Any, Infos]:
    """What a reset returns; raises CodecError."""
    try:
        return answer["observation"], _infos(answer)
    except KeyError as error:
        raise _unreadable(error) from error


def stepped(answer: Message) -> tuple[Any, Any, Any, Any, Infos]:
    """What a step returns; raises CodecError."""
    try:
        return (
            answer["observation"],
            answer["reward"],
            answer["terminated"],
            answer["truncated"],
            _infos(answer),
        )
    except KeyError as error:
        raise _unreadable(error) from error


def generators(answer: Message) -> Any:
    """A generator, or a tuple of the generators of several environments; raises CodecError."""
    state = answer.get("state")
    if isinstance(state, list):
        return tuple(generator_from(one) for one in state)
    return generator_from(state)


def _infos(answer: Message) -> Infos:
    infos: Infos = answer["infos"]
    return put_together(infos, answer["objects"]) if "objects" in answer else infos


def _unreadable(error: KeyError) -> CodecError:
    return CodecError(f"The server's answer has no {error}: are both sides of one version?")
