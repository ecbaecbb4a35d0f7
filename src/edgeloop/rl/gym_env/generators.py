"""Numpy's random number generators <-> plain messages."""

from typing import Any

import numpy as np

from edgeloop.errors import CodecError, ConfigError
from edgeloop.stream import Message

_KINDS = {
    kind.__name__: kind
    for kind in (
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.MT19937,
        np.random.Philox,
        np.random.SFC64,
    )
}


def describe_generator(generator: Any) -> Message:
    """The state of a generator; raises ConfigError for one that is not numpy's."""
    bits: Any = getattr(generator, "bit_generator", None)
    if type(bits).__name__ not in _KINDS:
        raise ConfigError(f"np_random is a {type(generator).__name__}: only numpy's can travel.")
    return dict(bits.state)


def generator_from(description: Any) -> np.random.Generator:
    """A generator that goes on where the described one was; raises CodecError."""
    try:
        bits = _KINDS[description["bit_generator"]]()
        bits.state = description
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise CodecError(f"The state of a generator is not readable ({error!r}).") from error
    return np.random.Generator(bits)
