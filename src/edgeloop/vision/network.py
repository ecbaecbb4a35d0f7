"""The compact anchor-free detector: one output level, an object is the peak of a heat map.

After CenterNet (Zhou et al. 2019, arXiv:1904.07850) and TTFNet (Liu et al. 2019,
arXiv:1909.00700).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgeloop.vision.hyperparameters import STRIDE

CHANNELS = (16, 32, 64, 128, 192)
DEPTHS = (1, 2, 2, 1)
NECK_CHANNELS = 64
UNIT_PX = 32.0
"""A raw distance of 0 is this many pixels."""

HEAT_BIAS = -4.0
MAX_DETECTIONS = 100


class CompactNetwork(nn.Module):
    """Images (b, height, width, 3) uint8 -> heat logits (b, classes, h, w) and distances to the
    left, top, right and bottom in pixels (b, 4, h, w), at stride 8."""

    def __init__(self, classes: int, width_factor: float) -> None:
        super().__init__()
        channels = [_scaled(count, width_factor) for count in CHANNELS]
        neck = _scaled(NECK_CHANNELS, width_factor)
        self.stem = _conv(3, channels[0], stride=2)
        self.stages = nn.ModuleList(
            _stage(before, after, depth)
            for before, after, depth in zip(channels, channels[1:], DEPTHS, strict=False)
        )
        self.laterals = nn.ModuleList(nn.Conv2d(count, neck, 1) for count in channels[2:])
        self.smooth = nn.ModuleList(_conv(neck, neck) for _ in channels[3:])
        self.heat = _head(neck, classes, bias=HEAT_BIAS)
        self.distances = _head(neck, 4, bias=0.0)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps = self._features((images.permute(0, 3, 1, 2).float() - 127.5) / 63.75)
        raw = self.distances(maps)
        return self.heat(maps), raw.clamp(-6, 6).exp() * UNIT_PX

    def _features(self, images: Tensor) -> Tensor:
        maps = self.stem(images)
        levels: list[Tensor] = []
        for stage in self.stages:
            maps = stage(maps)
            levels.append(maps)
        merged: Tensor = self.laterals[2](levels[3])
        for level, smooth in ((2, self.smooth[1]), (1, self.smooth[0])):
            lateral = self.laterals[level - 1](levels[level])
            rows, columns = lateral.shape[-2:]
            upper = functional.interpolate(merged, scale_factor=2.0, mode="nearest")
            merged = smooth(lateral + upper[:, :, :rows, :columns])
        return merged


class PeakDetector(nn.Module):
    """A network with its answer read off: boxes (b, n, 4) left, top, right, bottom in pixels of
    the input, scores (b, n), class indices (b, n); the surest first, at most 100."""

    def __init__(self, network: CompactNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits, distances = self.network(images)
        heat = logits.sigmoid()
        peaks = functional.max_pool2d(heat, 3, stride=1, padding=1)
        heat = torch.where(heat == peaks, heat, torch.zeros_like(heat)).flatten(1)
        cells = distances.shape[2] * distances.shape[3]
        scores, places = heat.topk(min(MAX_DETECTIONS, heat.shape[1]))
        cell = places % cells
        boxes = boxes_of(distances).flatten(2).transpose(1, 2)
        boxes = boxes.gather(1, cell.unsqueeze(-1).expand(-1, -1, 4))
        return boxes, scores, places // cells


def boxes_of(distances: Tensor) -> Tensor:
    """Distances (b, 4, h, w) -> boxes (b, 4, h, w): left, top, right, bottom in pixels."""
    rows, columns = distances.shape[-2:]
    down = (torch.arange(rows, device=distances.device) + 0.5) * STRIDE
    across = (torch.arange(columns, device=distances.device) + 0.5) * STRIDE
    centres = torch.stack(torch.meshgrid(across, down, indexing="xy"))
    return torch.cat([centres - distances[:, :2], centres + distances[:, 2:]], dim=1)


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(maps + self.second(self.first(maps)), inplace=True)


def _stage(before: int, after: int, depth: int) -> nn.Sequential:
    return nn.Sequential(_conv(before, after, stride=2), *(_Residual(after) for _ in range(depth)))


def _conv(before: int, after: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def _head(channels: int, outputs: int, *, bias: float) -> nn.Sequential:
    last = nn.Conv2d(channels, outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.constant_(last.bias, bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(inplace=True), last)


def _scaled(channels: int, factor: float) -> int:
    return max(8, round(channels * factor / 8) * 8)
