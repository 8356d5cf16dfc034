"""Metrics of labelled data: a classifier's verdicts, and variety within a class."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worker.evaluation.metrics.neighbours import ROUNDING, blocks


def inception_score(logits: Tensor) -> float:
    """exp of the mean KL divergence of p(class | x) from p(class), of scores [n, classes] (Salimans et al. 2016).

    1 (nothing is told apart) to the number of classes. With the judge's own classes it is the classifier score.
    """
    each = logits.double().log_softmax(dim=1)
    all_ = each.logsumexp(dim=0) - math.log(len(each))
    return float((each.exp() * (each - all_)).sum(dim=1).mean().exp())


def agreement(said: Tensor, asked: Tensor) -> float:
    """Share of examples [n] in which a classifier reads the class that was asked for, in [0, 1]."""
    return float((said == asked).double().mean())


def agreement_by_class(said: Tensor, asked: Tensor) -> dict[int, float]:
    """The same for each class that was asked for."""
    return {int(label): agreement(said[asked == label], asked[asked == label]) for label in torch.unique(asked)}


def within_class_spread(x: Tensor, labels: Tensor) -> float:
    """How much examples of one class differ, in the unit of x [n, ...]: one prototype a class has 0.

    Root of the variance averaged over an example's numbers, averaged over the classes that have two examples.
    """
    return _over_classes(x, labels, lambda members: float(members.var(dim=0).mean().sqrt()))


def pairwise_diversity(x: Tensor) -> float:
    """Mean Euclidean distance between two different examples of x [n, ...]."""
    x = x.flatten(1).double()
    total = torch.stack([torch.cdist(part, x).sum() for part in blocks(x, len(x))]).sum()
    return float(total) / (len(x) * (len(x) - 1))


def relative(figure: Callable[..., float], made: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> float:
    """A figure of made examples [n, ...] (and their labels), over the same of real ones.

    nan where the real ones are equal: but for rounding, which grows with how large their numbers are.
    """
    usual = figure(*real)
    size = float(real[0].flatten(1).double().norm(dim=1).mean())
    return figure(*made) / usual if usual > ROUNDING * size else math.nan


def intra_diversity(x: Tensor, labels: Tensor) -> float:
    """`pairwise_diversity` within each class, averaged over the classes that have two examples."""
    return _over_classes(x, labels, pairwise_diversity)


def _over_classes(x: Tensor, labels: Tensor, figure: Callable[[Tensor], float]) -> float:
    usable = torch.nonzero(torch.bincount(labels) > 1)
    figures = [figure(x[labels == label].flatten(1).double()) for label in usable]
    if not figures:
        raise ValueError("No class has two examples to compare.")
    return sum(figures) / len(figures)


def class_modes(said: Tensor, classes: int) -> tuple[int, float]:
    """How many of the classes [n] are seen at all, and KL(their histogram || uniform) in nats; 0 is best.

    The counting of stacked MNIST in VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018): 26,000 examples,
    each triple classified digit by digit, 1,000 classes.
    """
    counts = torch.bincount(said, minlength=classes)
    return int((counts > 0).sum()), kl_to_uniform(counts)


def kl_to_uniform(counts: Tensor) -> float:
    """Of a histogram, in nats: 0 when all are equal, log of their number when one has everything."""
    shares = counts.double() / counts.sum()
    return float(torch.special.xlogy(shares, shares * len(shares)).sum())
