"""A linear probe: the accuracy of a linear classifier on a model's features, on pictures that it did not learn from.

It says how far the features are useful beyond the game that they were learned for (Radford et al. 2016). The same
classifier on raw pixels, and on the features of the network with its initial weights, says what the training added.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batches import scaled
from data.readers.builtin import Data, Split
from models.errors import JobFailure
from models.features import FeatureExtractor, with_initial_weights
from models.rng import Rng
from worker.evaluation.chunked import chunks
from worker.evaluation.judge import on_one_thread

MAX_TRAIN, MAX_TEST = 4_000, 5_000
"""most pictures to learn from, and to measure on"""
MAX_NUMBERS = 1 << 25
"""most numbers of the features of all pictures, 256 MiB as float64 to learn from and as many to measure on"""
MAX_PIXEL_SIDE = 64
"""side in pixels to which larger pictures are reduced where pixels are the features"""
HELD_OUT = 5
"""one of so many pictures is held out: of a dataset without a test split, and to choose the ridge"""
RIDGES = tuple(10.0**power for power in range(3, -5, -1))
"""candidates of the ridge, relative to the mean squared length of the features; of equals the largest is used"""
RESAMPLES, RESAMPLES_AT_ONCE = 1_000, 100
"""of the bootstrap (Efron 1979)"""
LEVEL = 0.95

Arm = Literal["features", "pixels", "untrained"]
Heartbeat = Callable[[], None]


class CannotProbe(JobFailure):
    """The error of a dataset or of features that cannot be probed. The message says why."""

    code = "cannot_measure"


@dataclass(frozen=True)
class Accuracy:
    """A share of held-out pictures, with its 95 % bootstrap interval over the pictures."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Probe:
    """The result; the names of its fields are those of the report and of the model's card."""

    source: str
    """encoder or critic"""
    size: int
    """features of a picture"""
    accuracy: Accuracy
    pixels: Accuracy
    """the same classifier on raw pixels"""
    untrained: Accuracy
    """the same classifier on the features of the network with its initial weights"""
    gain: Accuracy
    """accuracy minus that on pixels, over the same pictures"""
    majority: float
    """share of the most frequent class"""
    classes: int
    n_train: int
    n_test: int
    split: Split
    """of the pictures that are measured; those of `train` are held out of the classifier, not of the model"""
    seed: int


@torch.no_grad()
def measure_probe(
    extractor: FeatureExtractor, train: Data, reference: tuple[Data, Split], seed: int, beat: Heartbeat
) -> Probe:
    """Measure the probe of a model. Equal arguments give equal figures.

    `reference` is the test split, or the training split, of which some pictures are held out. Calls `beat` after each
    part of the work. Raises CannotProbe.
    """
    sets = _Sets.of(train, reference, seed)
    arms: dict[Arm, Callable[[Tensor], Tensor]] = {
        "features": extractor,
        "untrained": with_initial_weights(extractor),
        "pixels": _pixels,
    }
    sizes = {name: arm(_on_device(sets.train[:1], extractor)).shape[1] for name, arm in arms.items()}
    sets = sets.limited(max(HELD_OUT, MAX_NUMBERS // max(sizes.values())))
    with on_one_thread():
        hits = {name: _hits(sets, arm, extractor, beat) for name, arm in arms.items()}
        resample = _resampling(sets, seed)
        of = {name: Accuracy(float(hits[name].mean()), resample(hits[name])) for name in arms}
        gain = hits["features"] - hits["pixels"]
        return Probe(
            source=str(extractor.recipe.feature_source),
            size=sizes["features"],
            accuracy=of["features"],
            pixels=of["pixels"],
            untrained=of["untrained"],
            gain=Accuracy(float(gain.mean()), resample(gain)),
            majority=float(torch.bincount(sets.test_labels).max() / len(sets.test)),
            classes=sets.classes,
            n_train=len(sets.train),
            n_test=len(sets.test),
            split=reference[1],
            seed=seed,
        )


@dataclass(frozen=True)
class _Sets:
    """Pictures uint8 [n, c, s, s] and labels [n] to learn from, and others to measure on."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    classes: int

    @classmethod
    def of(cls, train: Data, reference: tuple[Data, Split], seed: int) -> "_Sets":
        """Draw the sets. Raises CannotProbe for data without labels, of one class, or with too few pictures."""
        data, split = reference
        if train.images is None or train.labels is None or data.images is None or data.labels is None:
            raise CannotProbe("'probe' needs pictures with classes, and this dataset has none.")
        rows = _shuffled(len(train.images), "train", seed)
        other = _shuffled(len(data.images), "test", seed)
        if split == "train":
            held_out = len(rows) // HELD_OUT
            rows, other = rows[held_out:], rows[:held_out]
        rows, other = rows[:MAX_TRAIN], other[:MAX_TEST]
        classes = int(train.labels.max()) + 1
        if len(rows) < HELD_OUT or len(other) < 1 or len(torch.bincount(train.labels[rows]).nonzero()) < 2:
            raise CannotProbe("'probe' needs several pictures of at least two classes, and this dataset has fewer.")
        return cls(train.images[rows], train.labels[rows], data.images[other], data.labels[other], classes)

    def limited(self, n: int) -> "_Sets":
        """Return the sets with at most n pictures each."""
        return _Sets(self.train[:n], self.train_labels[:n], self.test[:n], self.test_labels[:n], self.classes)


def _shuffled(n: int, name: str, seed: int) -> Tensor:
    return torch.randperm(n, generator=Rng(seed).stream(f"probe/{name}"))


def _on_device(pictures: Tensor, extractor: FeatureExtractor) -> Tensor:
    """Return pictures, uint8, in [-1, 1] on the extractor's device."""
    return scaled(pictures).to(next(extractor.parameters()).device)


def _pixels(x: Tensor) -> Tensor:
    """Return pictures [n, c, s, s] as rows, reduced by averaging if they are large."""
    if x.shape[-1] > MAX_PIXEL_SIDE:
        x = F.interpolate(x, size=(MAX_PIXEL_SIDE, MAX_PIXEL_SIDE), mode="area")
    return x.flatten(1)


def _hits(sets: _Sets, arm: Callable[[Tensor], Tensor], extractor: FeatureExtractor, beat: Heartbeat) -> Tensor:
    """Return for each held-out picture 1 if the classifier on these features is right, else 0: float64 [n]."""
    # In float32, inner products of few features would not be positive definite.
    train, test = (_rows(pictures, arm, extractor, beat).double() for pictures in (sets.train, sets.test))
    mean, deviation = train.mean(0), train.std(0, correction=0).clamp(min=1e-6)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    inner, across = train @ train.T, test @ train.T
    targets = F.one_hot(sets.train_labels, sets.classes).double()
    predicted = across @ _solve(inner, targets, _best_ridge(inner, targets, beat)) + targets.mean(0)
    beat()
    return (predicted.argmax(1) == sets.test_labels).double()


def _rows(pictures: Tensor, arm: Callable[[Tensor], Tensor], extractor: FeatureExtractor, beat: Heartbeat) -> Tensor:
    """Return the features float32 [n, f] of pictures, in chunks. Raises CannotProbe if one is not finite."""
    parts = []
    for part in chunks(pictures):
        parts.append(arm(_on_device(part, extractor)).float().cpu())
        beat()
    rows = torch.cat(parts)
    if not rows.isfinite().all():
        raise CannotProbe("The features are not finite, so they cannot be probed.")
    return rows


def _best_ridge(inner: Tensor, targets: Tensor, beat: Heartbeat) -> float:
    """Return the ridge that classifies the last fifth of the pictures best after learning from the others."""
    n = len(inner) - len(inner) // HELD_OUT
    labels, accuracies = targets[n:].argmax(1), list[float]()
    for ridge in RIDGES:
        predicted = inner[n:, :n] @ _solve(inner[:n, :n], targets[:n], ridge) + targets[:n].mean(0)
        accuracies.append(float((predicted.argmax(1) == labels).double().mean()))
        beat()
    return RIDGES[accuracies.index(max(accuracies))]


def _solve(inner: Tensor, targets: Tensor, ridge: float) -> Tensor:
    """Return the weights [n, classes] of the pictures in ridge regression, from their inner products [n, n]."""
    diagonal = ridge * inner.diagonal().mean().clamp(min=1e-12) * torch.eye(len(inner), dtype=inner.dtype)
    return torch.cholesky_solve(targets - targets.mean(0), torch.linalg.cholesky(inner + diagonal))


def _resampling(sets: _Sets, seed: int) -> Callable[[Tensor], tuple[float, float]]:
    """Return the function that gives the bootstrap interval of a mean over the held-out pictures."""

    def interval(values: Tensor) -> tuple[float, float]:
        stream, n = Rng(seed).stream("probe/bootstrap"), len(sets.test)
        means = [
            values[torch.randint(n, (RESAMPLES_AT_ONCE, n), generator=stream)].mean(1)
            for _ in range(math.ceil(RESAMPLES / RESAMPLES_AT_ONCE))
        ]
        low, high = torch.quantile(torch.cat(means), torch.tensor([(1 - LEVEL) / 2, (1 + LEVEL) / 2]).double())
        return float(low), float(high)

    return interval
