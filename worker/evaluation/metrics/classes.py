"""Metrics of labelled data: a classifier's predictions, and diversity within a class."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from worker.evaluation.metrics.neighbours import ROUNDING, blocks


def inception_score(logits: Tensor) -> float:
    """Return exp of the mean KL divergence of p(class | x) from p(class), logits [n, classes] (Salimans et al. 2016).

    From 1 (all predictions are equal) to the number of classes. On the judge's logits it is the classifier score.
    """
    conditional = logits.double().log_softmax(dim=1)
    marginal = conditional.logsumexp(dim=0) - math.log(len(conditional))
    return float((conditional.exp() * (conditional - marginal)).sum(dim=1).mean().exp())


def agreement(predicted: Tensor, labels: Tensor) -> float:
    """Return the share of examples whose predicted class [n] is the one they were generated for [n], in [0, 1]."""
    return float((predicted == labels).double().mean())


def agreement_by_class(predicted: Tensor, labels: Tensor) -> dict[int, float]:
    """Return the agreement of each class, by its number."""
    return {
        int(label): agreement(predicted[labels == label], labels[labels == label]) for label in torch.unique(labels)
    }


def within_class_spread(x: Tensor, labels: Tensor) -> float:
    """Return how much examples of one class differ, in the unit of x [n, ...]; 0 if each class has one prototype.

    The root of the variance, averaged over an example's numbers, averaged over the classes with two examples.
    """
    return _over_classes(x, labels, lambda members: float(members.var(dim=0).mean().sqrt()))


def pairwise_diversity(x: Tensor) -> float:
    """Return the mean Euclidean distance between two different examples of x [n, ...]."""
    x = x.flatten(1).double()
    total = torch.stack([torch.cdist(part, x).sum() for part in blocks(x, len(x))]).sum()
    return float(total) / (len(x) * (len(x) - 1))


def relative(figure: Callable[..., float], generated: tuple[Tensor, ...], real: tuple[Tensor, ...]) -> float:
    """Return a figure of generated examples [n, ...] (and their labels), divided by that of real examples.

    nan if the real examples are equal up to rounding, which grows with the size of their numbers.
    """
    of_real = figure(*real)
    size = float(real[0].flatten(1).double().norm(dim=1).mean())
    return figure(*generated) / of_real if of_real > ROUNDING * size else math.nan


def intra_diversity(x: Tensor, labels: Tensor) -> float:
    """Return `pairwise_diversity` within each class, averaged over the classes with two examples."""
    return _over_classes(x, labels, pairwise_diversity)


def _over_classes(x: Tensor, labels: Tensor, figure: Callable[[Tensor], float]) -> float:
    usable = torch.nonzero(torch.bincount(labels) > 1)
    figures = [figure(x[labels == label].flatten(1).double()) for label in usable]
    if not figures:
        raise ValueError("No class has two examples to compare.")
    return sum(figures) / len(figures)


def class_modes(predicted: Tensor, classes: int) -> tuple[int, float]:
    """Return how many classes are predicted [n] at all, and KL(their histogram || uniform) in nats; 0 is best.

    The counting of stacked MNIST in VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018): 26,000 examples,
    each triple classified digit by digit, 1,000 classes.
    """
    counts = torch.bincount(predicted, minlength=classes)
    return int((counts > 0).sum()), kl_to_uniform(counts)


def kl_to_uniform(counts: Tensor) -> float:
    """Return KL(histogram || uniform) in nats: 0 if all counts are equal, log of their number if one has everything."""
    shares = counts.double() / counts.sum()
    return float(torch.special.xlogy(shares, shares * len(shares)).sum())
