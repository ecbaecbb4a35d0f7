"""What the network is punished for: a penalty-reduced focal loss and weighted GIoU."""

import torch
from torch import Tensor
from torch.nn import functional

from edgeloop.vision.network import boxes_of

BOX_WEIGHT = 5.0


def detection_loss(
    outputs: tuple[Tensor, Tensor], heat: Tensor, boxes: Tensor, *, weights: Tensor
) -> Tensor:
    """The loss of a batch; ``outputs`` are the network's, the others as in ``batches.Batch``."""
    logits, distances = outputs
    return heat_loss(logits, heat) + BOX_WEIGHT * box_loss(boxes_of(distances), boxes, weights)


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss, reduced round the centres (CenterNet: powers 2 and 4), per object."""
    found = logits.sigmoid()
    centres = (heat == 1).to(logits.dtype)
    hits = centres * (1 - found).square() * functional.softplus(-logits)
    false_alarms = (1 - heat).square().square() * found.square() * functional.softplus(logits)
    return (hits + false_alarms).sum() / centres.sum().clamp(min=1)


def box_loss(boxes: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """1 - GIoU (b, 4, h, w), averaged by ``weights`` (b, h, w)."""
    return ((1 - _giou(boxes, truth)) * weights).sum() / weights.sum().clamp(min=1e-6)


def _giou(first: Tensor, second: Tensor) -> Tensor:
    """Generalized IoU of boxes (b, 4, h, w), cell by cell (Rezatofighi et al. 2019,
    arXiv:1902.09630)."""
    sides = torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])
    hull = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    shared = _area(sides.clamp(min=0))
    union = _area(first[:, 2:] - first[:, :2]) + _area(second[:, 2:] - second[:, :2]) - shared
    around = _area(hull).clamp(min=1e-6)
    return shared / union.clamp(min=1e-6) - (around - union) / around


def _area(sides: Tensor) -> Tensor:
    return sides[:, 0] * sides[:, 1]
