"""Weights of torch modules as arrays that can travel, and back."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgeloop.errors import InputError
from edgeloop.stream.stores.layout import Array

if TYPE_CHECKING:
    from torch import Tensor, nn


def weights_of(module: "nn.Module") -> dict[str, Array]:
    """Copies of all parameters and buffers, by their names in the state dict: what to publish.

    Raises InputError for a dtype that numpy lacks (bfloat16, float8).
    """
    return {name: _array(name, tensor) for name, tensor in module.state_dict().items()}


def load_weights(module: "nn.Module", weights: Mapping[str, Array]) -> None:
    """Give ``module`` what ``weights_of`` took from one that is built alike, on any device.

    Raises InputError, naming what differs, before anything is changed.
    """
    import torch

    state = module.state_dict()
    _check(state, weights)
    with torch.no_grad():
        for name, tensor in state.items():
            tensor.copy_(torch.from_numpy(np.array(weights[name])))  # what arrives is read-only


def _array(name: str, tensor: "Tensor") -> Array:
    try:
        array: Array = tensor.detach().cpu().numpy().copy()
    except TypeError as error:
        message = f"{name} is {tensor.dtype}, which numpy lacks: publish it as float32."
        raise InputError(message) from error
    return array


def _check(state: Mapping[str, "Tensor"], weights: Mapping[str, Array]) -> None:
    if differing := sorted(set(state) ^ set(weights)):
        raise InputError(
            f"These weights are of another network: only one of the two has {', '.join(differing)}."
        )
    for name, tensor in state.items():
        found, expected = np.shape(weights[name]), tuple(tensor.shape)
        if found != expected:
            raise InputError(f"The weight {name} has the shape {found}, expected {expected}.")
