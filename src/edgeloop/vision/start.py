"""What a training starts from: fresh weights, or those of an earlier model."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from edgeloop.errors import TrainingFailed
from edgeloop.types import Category, LocalModel, TrainingTask
from edgeloop.vision.export import WEIGHTS, Architecture, read_weights
from edgeloop.vision.network import CompactNetwork

log = logging.getLogger(__name__)
WIDTH_FACTORS = {"w0.5": 0.5, "w0.75": 0.75, "w1": 1.0}
DEFAULT_VARIANT = "w0.5"


def starting_point(
    task: TrainingTask, categories: Sequence[Category], size: tuple[int, int]
) -> tuple[Architecture, CompactNetwork]:
    """The network to train, with the weights of ``task.base`` where there is one.

    Rows of the base's heat map follow their category's id; new categories start fresh. Raises
    TrainingFailed for an unknown variant, or a base of another one.
    """
    base = _read(task.base) if task.base else None
    variant = task.variant or (base[0].variant if base else DEFAULT_VARIANT)
    if variant not in WIDTH_FACTORS:
        names = ", ".join(WIDTH_FACTORS)
        raise TrainingFailed(f"There is no variant {variant!r}: choose one of {names}.")
    ids = tuple(category.id for category in categories)
    architecture = Architecture(variant, WIDTH_FACTORS[variant], size, ids)
    network = architecture.network()
    if base:
        if base[0].variant != variant:
            raise TrainingFailed(
                f"The base model is a {base[0].variant}, not a {variant}: "
                "choose its variant, or no base."
            )
        _adopt(network, base[1], base[0].category_ids, ids)
    return architecture, network


def _read(base: LocalModel) -> tuple[Architecture, dict[str, Tensor]]:
    return read_weights(base.path / WEIGHTS)


def _adopt(
    network: CompactNetwork,
    weights: dict[str, Tensor],
    before: Sequence[str],
    now: Sequence[str],
) -> None:
    state = network.state_dict()
    last = len(network.heat) - 1
    heads = {f"heat.{last}.weight", f"heat.{last}.bias"}
    known = [
        (row, before.index(category)) for row, category in enumerate(now) if category in before
    ]
    with torch.no_grad():
        for name in heads:
            for row, old_row in known:
                state[name][row] = weights[name][old_row]
    network.load_state_dict(weights | {name: state[name] for name in heads})
    log.info("Started from the base model; %d of %d categories were known", len(known), len(now))
