"""Batches of varied images: a pure function of seed and iteration, made one step ahead."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeloop.types import ImageArray
from edgeloop.vision.augment import Augmentation, augmented
from edgeloop.vision.dataset import Sample
from edgeloop.vision.targets import targets

_ORDER, _VARIATION = 0, 1

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """``images`` (b, height, width, 3) and the maps of ``targets.Targets`` with a leading b."""

    images: ImageArray
    heat: Floats
    boxes: Floats
    weights: Floats


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Makes the batch of any iteration, so that a resumed training sees what it would have
    seen."""

    samples: Sequence[Sample]
    classes: int
    batch_size: int
    augmentation: Augmentation
    seed: int

    def batch(self, iteration: int) -> Batch:
        """The batch of one iteration, counted from 0."""
        rng = np.random.default_rng((self.seed, _VARIATION, iteration))
        varied = [
            augmented(self.samples[index], self.augmentation, rng)
            for index in self._indices(iteration)
        ]
        maps = [targets(sample, self.classes) for sample in varied]
        return Batch(
            images=np.stack([sample.pixels for sample in varied]),
            heat=np.stack([each.heat for each in maps]),
            boxes=np.stack([each.boxes for each in maps]),
            weights=np.stack([each.weights for each in maps]),
        )

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """The batches of iterations ``first``..``last - 1``; the next is made in a thread
        meanwhile."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            ahead = pool.submit(self.batch, first)
            for iteration in range(first, last):
                batch = ahead.result()
                if iteration + 1 < last:
                    ahead = pool.submit(self.batch, iteration + 1)
                yield batch

    def _indices(self, iteration: int) -> list[int]:
        """Endless passes through all samples, each in an order of its own."""
        count = len(self.samples)
        positions = range(iteration * self.batch_size, (iteration + 1) * self.batch_size)
        passes = {position // count for position in positions}
        orders = {
            number: np.random.default_rng((self.seed, _ORDER, number)).permutation(count)
            for number in passes
        }
        return [int(orders[position // count][position % count]) for position in positions]
