"""One network in training: steps of AdamW, and the moving average that is the model."""

import copy
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from edgeloop.errors import TrainingFailed
from edgeloop.vision.batches import Batch
from edgeloop.vision.hyperparameters import CompactHyperparameters
from edgeloop.vision.loss import detection_loss
from edgeloop.vision.network import CompactNetwork

WARM_UP = 0.05
"""The share of the iterations in which the learning rate rises."""

LAST_RATE = 0.005
"""The share of the learning rate that the cosine ends at."""

WEIGHT_DECAY = 0.02
BETAS = (0.9, 0.99)
MAX_GRADIENT = 10.0


class Learner:
    """``average`` is the exponential moving average of the network's parameters and batch-norm
    statistics, the one to evaluate and export; ``iteration`` counts the steps taken."""

    def __init__(self, network: CompactNetwork, hyperparameters: CompactHyperparameters) -> None:
        self.iteration = 0
        self.average = copy.deepcopy(network).eval().requires_grad_(False)
        self._network = network.train()
        self._hyperparameters = hyperparameters
        self._device = next(network.parameters()).device
        self._optimizer = _optimizer(network, hyperparameters.learning_rate)
        self._pairs = _float_tensors(self.average), _float_tensors(network)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        share = self.iteration / self._hyperparameters.iterations
        if share < WARM_UP:
            steps = max(1.0, WARM_UP * self._hyperparameters.iterations)
            return self._hyperparameters.learning_rate * (self.iteration + 1) / (steps + 1)
        progress = min(1.0, (share - WARM_UP) / (1 - WARM_UP))
        cosine = (1 + math.cos(math.pi * progress)) / 2
        return self._hyperparameters.learning_rate * (LAST_RATE + (1 - LAST_RATE) * cosine)

    def learn(self, batches: Iterable[Batch]) -> float:
        """One step per batch; the mean loss. Raises TrainingFailed where it is not finite."""
        losses = [self._step(batch) for batch in batches]
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            raise TrainingFailed("The loss is no finite number: lower the learning_rate.")
        return loss

    def state(self) -> dict[str, Any]:
        """All that a checkpoint needs to go on exactly here."""
        return {
            "iteration": self.iteration,
            "network": self._network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` said."""
        self._network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.iteration = int(state["iteration"])

    def _step(self, batch: Batch) -> Tensor:
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        images, heat, boxes, weights = (
            torch.from_numpy(array).to(self._device)
            for array in (batch.images, batch.heat, batch.boxes, batch.weights)
        )
        self._optimizer.zero_grad()
        loss = detection_loss(self._network(images), heat, boxes, weights=weights)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), MAX_GRADIENT)
        self._optimizer.step()
        self._follow()
        self.iteration += 1
        return loss.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        limit = (1 + self.iteration) / (10 + self.iteration)
        decay = min(self._hyperparameters.ema_decay, limit)
        averages, tensors = self._pairs
        torch._foreach_lerp_(averages, tensors, 1 - decay)


def _optimizer(network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    weights = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": WEIGHT_DECAY},
        {"params": others},
    ]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, weight_decay=0.0, fused=True)


def _float_tensors(module: nn.Module) -> list[Tensor]:
    """Parameters and batch-norm statistics, without the counters of batches."""
    tensors = [*module.parameters(), *module.buffers()]
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
