"""Figures of classes, against their formulas written out."""

import math

import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.special import softmax
from scipy.stats import entropy

from worker.evaluation.metrics.classes import (
    agreement,
    agreement_by_class,
    class_modes,
    inception_score,
    intra_diversity,
    pairwise_diversity,
    within_class_spread,
)

LOGITS = 3 * torch.randn(200, 10, generator=torch.Generator().manual_seed(1))
X = torch.randn(90, 5, generator=torch.Generator().manual_seed(2))
LABELS = torch.arange(90) % 3


def test_inception_score_is_the_exponential_of_the_mean_relative_entropy() -> None:
    probabilities = softmax(LOGITS.double().numpy(), axis=1)
    expected = math.exp(entropy(probabilities, probabilities.mean(axis=0)[None], axis=1).mean())
    assert inception_score(LOGITS) == pytest.approx(expected, rel=1e-4)


def test_inception_score_ranges_from_one_to_the_number_of_classes() -> None:
    assert inception_score(torch.zeros(50, 10)) == pytest.approx(1)
    assert inception_score(1000 * torch.eye(10).repeat(5, 1)) == pytest.approx(10)
    assert inception_score(1000 * torch.eye(10)[:1].repeat(5, 1)) == pytest.approx(1)


def test_agreement_is_the_share_of_requested_classes_overall_and_by_class() -> None:
    predicted, requested = torch.tensor([0, 0, 1, 3, 3]), torch.tensor([0, 1, 1, 3, 3])
    assert agreement(predicted, requested) == 0.8
    assert agreement_by_class(predicted, requested) == {0: 1, 1: 0.5, 3: 1}, "class 2 was not requested"


def test_within_class_spread_is_a_standard_deviation_and_zero_for_prototypes() -> None:
    deviations = [math.sqrt(X[label == LABELS].numpy().var(axis=0, ddof=1).mean()) for label in range(3)]
    assert within_class_spread(X, LABELS) == pytest.approx(sum(deviations) / 3, abs=1e-4)
    assert within_class_spread(X[LABELS], LABELS) == 0
    coins = torch.randint(0, 2, (1_000, 1, 4, 4), generator=torch.Generator().manual_seed(1)).to(torch.uint8) * 255
    assert within_class_spread(coins, torch.arange(1_000) % 10) == pytest.approx(127.5, rel=0.02)


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    assert pairwise_diversity(X) == pytest.approx(pdist(X.double().numpy()).mean(), abs=1e-4)
    within = [pdist(X[label == LABELS].double().numpy()).mean() for label in range(3)]
    assert intra_diversity(X, LABELS) == pytest.approx(sum(within) / 3, abs=1e-4)
    assert pairwise_diversity(X[:1].expand(20, -1)) == 0


def test_classes_with_fewer_than_two_examples_are_left_out() -> None:
    labels = torch.where(LABELS == 1, 7, LABELS)
    assert intra_diversity(X, labels) == pytest.approx(intra_diversity(X, LABELS))
    labels = torch.cat([labels, torch.tensor([4])])
    assert within_class_spread(torch.cat([X, X[:1]]), labels) == pytest.approx(within_class_spread(X, LABELS))
    with pytest.raises(ValueError, match="No class has two examples"):
        within_class_spread(X[:3], LABELS[:3])


def test_class_modes_counts_classes_and_their_divergence_from_uniform() -> None:
    predicted = torch.tensor([0] * 6 + [1] * 3 + [3])
    divergence = entropy([0.6, 0.3, 0, 0.1], [0.25] * 4)
    assert class_modes(predicted, 4) == pytest.approx((3, divergence), abs=1e-4)
    assert class_modes(torch.arange(1000).repeat(26), 1000) == pytest.approx((1000, 0), abs=1e-9)
    assert class_modes(torch.zeros(50, dtype=torch.int64), 1000) == pytest.approx((1, math.log(1000)))
