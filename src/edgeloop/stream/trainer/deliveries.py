"""What travels between the stores of both sides: transitions up, and how far they came down."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeloop.errors import CodecError, InputError
from edgeloop.stream.stores.base import Batch, count_of
from edgeloop.stream.stores.layout import leaves_of
from edgeloop.stream.transport import Message

MOST_ROWS = 1 << 16
"""How many transitions a delivery may have."""
_MOST_NUMBER = 1 << 60
_MOST_CHARACTERS = 256
_FIELDS: dict[str, tuple[tuple[type, ...], str]] = {
    "store": ((str,), "a text"),
    "origin": ((str,), "a text"),
    "session": ((str,), "a text"),
    "first": ((int,), "a whole number"),
    "data": ((dict, list, type(None)), "columns, or a list of transitions"),
    "wait_s": ((int, float), "a number of seconds"),
    "weights": ((list,), "a session and a version"),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """Published weights: the ``version`` counts within a ``session``, one life of a server."""

    session: str = ""
    version: int = 0

    def ahead_of(self, other: "Weights") -> int:
        """How many versions these are newer than others: all, if those are of another life."""
        if self.session != other.session:
            return self.version
        return max(0, self.version - other.version)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Transitions of one store, or (``batch`` None) only the question where to go on.

    ``origin`` numbers them, ``first`` is its number for the first one. ``session`` is the life of
    the server's store that they are meant for. The server may wait ``wait_s`` for its limiter.
    ``weights`` are those in use by the client.
    """

    store: str
    origin: str
    session: str
    first: int = 0
    batch: Batch | None = None
    wait_s: float = 0.0
    weights: Weights = Weights()

    @property
    def count(self) -> int:
        """How many transitions these are."""
        return 0 if self.batch is None else count_of(self.batch)

    def to_message(self, weights: Weights) -> Message:
        """As it travels, with what is in use now."""
        return {
            "store": self.store,
            "origin": self.origin,
            "session": self.session,
            "first": self.first,
            "data": self.batch,
            "wait_s": self.wait_s,
            "weights": [weights.session, weights.version],
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """The number that an origin should go on with, in the life of a store called ``session``.

    ``held`` says why nothing was taken, where a limiter holds transitions back. ``weights`` are
    the server's newest.
    """

    session: str
    following: int
    held: str = ""
    weights: Weights = Weights()

    def to_message(self, weights: Weights) -> Message:
        """As it travels, with what is published now."""
        return {
            "session": self.session,
            "following": self.following,
            "held": self.held,
            "weights": [weights.session, weights.version],
        }


def delivery_from(message: Message) -> Delivery:
    """What a client sent; raises InputError that names the field which is not as it should be."""
    for name, (kinds, expected) in _FIELDS.items():
        value = message.get(name)
        if not isinstance(value, kinds):
            raise InputError(f"A delivery has {name}, {expected}, not {type(value).__name__}.")
        if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
            raise InputError(f"{name} has {len(value)} characters: {_MOST_CHARACTERS} at most.")
    if not 0 <= message["first"] < _MOST_NUMBER:
        raise InputError("first is not a number that a transition can have.")
    data = message["data"]
    if data is not None:
        _check_batch(data)
    return Delivery(
        store=message["store"],
        origin=message["origin"],
        session=message["session"],
        first=message["first"],
        batch=data,
        wait_s=message["wait_s"],
        weights=_weights_from(message["weights"]),
    )


def receipt_from(message: Message) -> Receipt:
    """What the server answered; raises CodecError."""
    match message:
        case {
            "session": str(session),
            "following": int(following),
            "held": str(held),
            "weights": list(weights),
        }:
            return Receipt(session, following, held, _weights_from(weights))
    raise CodecError("The server's receipt is not readable: is it of another version?")


def _weights_from(value: list[Any]) -> Weights:
    match value:
        case [str(session), int(version)] if 0 <= version < _MOST_NUMBER:
            return Weights(session, version)
    raise InputError("weights are a session and a version.")


def _check_batch(batch: Batch) -> None:
    """Whether rows are rows, and not too many: what is in them is looked at by the store."""
    count = count_of(batch)
    if count > MOST_ROWS:
        raise InputError(f"{count} transitions at once: {MOST_ROWS} at most.")
    if isinstance(batch, Mapping):
        for path, column in leaves_of(batch):
            if not isinstance(column, np.ndarray) or column.shape[:1] != (count,):
                raise InputError(f"{'/'.join(path)} is no column of {count} rows.")
