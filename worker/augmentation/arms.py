"""Train the classifiers that are compared: with real pictures, generated ones, both, or real ones changed at random.

All have one network and the same number of steps with batches of the same size, and draw every class equally often: so
balance alone is no gain. Classifiers of one seed begin with the same weights. They are trained on one CPU thread, so
that equal requests give equal reports.
"""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batches import scaled
from data.readers.base import Heartbeat
from models.rng import Rng, stream_seed
from worker.evaluation.chunked import chunks
from worker.evaluation.judge import BATCH_SIZE, Judge, new_judge, on_one_thread, shrink, train_classifier

MAX_TURN, MAX_SCALING, MAX_SHIFT = math.radians(15), 0.1, 0.1
"""of classical augmentation: radians, share of the size, and share of the side in each direction"""
Batch = Callable[[int], tuple[Tensor, Tensor]]
"""returns the pictures [n, c, s, s] in [-1, 1] and the classes [n] of a step"""


class Pool:
    """Labelled pictures, uint8 [n, c, s, s] and int64 [n], from which batches take every class equally often."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self._images = images
        self._order = labels.argsort(stable=True)
        self._classes, self._counts = torch.unique_consecutive(labels[self._order], return_counts=True)
        self._starts = self._counts.cumsum(0) - self._counts

    def batch(self, n: int, stream: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return n pictures in [-1, 1] at the classifier's side, and their classes."""
        group = torch.randint(len(self._classes), (n,), generator=stream)
        share = torch.rand(n, generator=stream, dtype=torch.float64)
        rows = self._order[self._starts[group] + (share * self._counts[group]).long()]
        return shrink(scaled(self._images[rows])), self._classes[group]


def batches(pools: Mapping[str, Pool], arm: str, seed: int) -> Batch:
    """Return the batches of an arm; `pools` holds "real", and "generated" for the arms that need it."""
    rng = Rng(seed)

    def batch(step: int) -> tuple[Tensor, Tensor]:
        stream = rng.stream("augmentation", step)
        if arm == "both":
            parts = [pools[name].batch(BATCH_SIZE // 2, stream) for name in ("real", "generated")]
            return torch.cat([pictures for pictures, _ in parts]), torch.cat([labels for _, labels in parts])
        pictures, labels = pools["generated" if arm == "generated" else "real"].batch(BATCH_SIZE, stream)
        return (changed(pictures, stream) if arm == "classical" else pictures), labels

    return batch


def changed(pictures: Tensor, stream: torch.Generator) -> Tensor:
    """Turn, scale and move each picture at random; mirror half of the colour pictures.

    Grey pictures are not mirrored: many are of letters or digits.
    """
    n, channels = pictures.shape[:2]
    turn, scaling, down, right, side = (2 * torch.rand(5, n, generator=stream) - 1).unbind()
    angle, scale = MAX_TURN * turn, 1 + MAX_SCALING * scaling
    mirror = torch.where((side < 0) & (channels >= 3), -1.0, 1.0)
    rows = [
        torch.stack([mirror * scale * angle.cos(), -scale * angle.sin(), 2 * MAX_SHIFT * right], dim=1),
        torch.stack([mirror * scale * angle.sin(), scale * angle.cos(), 2 * MAX_SHIFT * down], dim=1),
    ]
    grid = F.affine_grid(torch.stack(rows, dim=1), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def correct_after_training(
    batch: Batch, steps: int, seed: int, held_out: tuple[Tensor, Tensor], classes: int, heartbeat: Heartbeat
) -> Tensor:
    """Train a classifier; return for each held-out picture, uint8 [n, c, s, s] of class [n], whether it is right."""
    images, labels = held_out
    with on_one_thread():
        classifier = new_judge(images.shape[1], classes, stream_seed(seed, "classifier"))
        for _ in train_classifier(classifier, batch, steps):
            heartbeat()
        return _predicted(classifier.eval().requires_grad_(False), images, heartbeat) == labels


def _predicted(classifier: Judge, images: Tensor, heartbeat: Heartbeat) -> Tensor:
    parts = []
    for part in chunks(images):
        parts.append(classifier.embed(scaled(part))[1].argmax(dim=1))
        heartbeat()
    return torch.cat(parts)
