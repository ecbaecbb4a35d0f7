"""What agentlace's users send and get: any value the codec carries, wrapped where it is no dict."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgeloop.stream import Message

_VALUE = "agentlace value"


def wrap(value: Any) -> Message:
    """A message of any value: a dict travels as it is, so that plain edgeloop reads it too."""
    sent = plain(value)
    if type(sent) is dict and _VALUE not in sent:
        return sent
    return {_VALUE: sent}


def unwrap(message: Message) -> Any:
    """The value of a message."""
    return message.get(_VALUE, message)


def plain(value: Any) -> Any:
    """The value with other libraries' arrays (jax's, say) as numpy's, and mappings as dicts.

    What is neither stays as it is: the codec says what cannot be sent.
    """
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if type(value) is list:
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, np.ndarray | np.generic) or not hasattr(value, "__array__"):
        return value
    return np.asarray(value)


def owned(value: Any) -> Any:
    """The value with arrays of its own: what is published is read-only, and shared."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: owned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(owned(item) for item in value)
    return value
