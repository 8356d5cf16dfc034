"""The linear probe: its classifier, what it compares with, its intervals, and what cannot be probed."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from data.readers.builtin import Data, load
from models.build import build_critic, build_generator
from models.features import FeatureExtractor
from models.spec.data import Images
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.evaluation import probe
from worker.evaluation.probe import CannotProbe, measure_probe

NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}}
DIGITS = load(Images(dataset="digits", side=16, channels=1, classes=10), None)


def recipe_of(family: str) -> Recipe:
    return resolve(
        family, dataset="digits", seed=1, budget={"steps": 10}, overrides=NARROW if family == "dcgan" else None
    )[1]


def untrained(family: str = "dcgan") -> FeatureExtractor:
    recipe = recipe_of(family)
    network = build_generator(recipe) if recipe.feature_source == "encoder" else build_critic(recipe)
    return FeatureExtractor(recipe, network, 10)


def measured(extractor: FeatureExtractor, data: Data = DIGITS, seed: int = 0) -> probe.Probe:
    return measure_probe(extractor, data, (data, "train"), seed, lambda: None)


class Knowing(FeatureExtractor):
    """An extractor whose features are the mean brightness of a picture, which the tests set to its class."""

    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(((x.mean((1, 2, 3)) + 1) * 127.5 / 20).round().long(), 12).float()


def labelled(n: int, labels: list[int]) -> Data:
    """Return n pictures of even brightness, 20 levels for each class."""
    classes = torch.tensor(labels).repeat(n)[:n]
    return Data(images=(20 * classes).to(torch.uint8)[:, None, None, None].expand(n, 1, 16, 16), labels=classes)


def test_accuracy_is_compared_with_pixels_and_with_the_untrained_network() -> None:
    result = measured(untrained())
    assert result.accuracy == result.untrained, "here nothing was learned"
    assert 0.85 < result.pixels.value < 1
    assert result.majority < 0.2
    assert (result.source, result.size, result.classes) == ("critic", 256, 10)
    assert (result.n_train, result.n_test, result.split) == (1438, 359, "train")
    for accuracy in (result.accuracy, result.pixels, result.gain):
        low, high = accuracy.interval
        assert low <= accuracy.value <= high
        assert 0 < high - low < 0.15
    assert result.gain.value == pytest.approx(result.accuracy.value - result.pixels.value)


def test_probe_is_a_function_of_its_seed() -> None:
    extractor = untrained("vae")
    assert extractor.recipe.feature_source == "encoder"
    assert measured(extractor, seed=3) == measured(extractor, seed=3)
    assert measured(extractor, seed=3) != measured(extractor, seed=4)


def test_features_that_know_the_class_classify_every_picture() -> None:
    extractor = Knowing(recipe_of("dcgan"), build_critic(recipe_of("dcgan")), 10)
    result = measured(extractor, labelled(300, list(range(10))))
    assert (result.accuracy.value, result.accuracy.interval) == (1.0, (1.0, 1.0))
    assert result.pixels.value < 1, "brightness in one direction cannot be split into ten classes by a line each"
    assert result.gain.interval[0] > 0


def test_classifier_equals_ridge_regression_in_its_primal_form() -> None:
    stream = torch.Generator().manual_seed(1)
    x, labels = torch.randn(60, 9, generator=stream).double(), torch.randint(3, (60,), generator=stream)
    x = x - x.mean(0)
    targets = F.one_hot(labels, 3).double()
    inner = x @ x.T
    weights = x.T @ probe._solve(inner, targets, 0.1)
    penalty = 0.1 * float(inner.diagonal().mean())
    design = x.numpy()
    centred = targets.numpy() - targets.numpy().mean(0)
    expected = np.linalg.solve(design.T @ design + penalty * np.eye(9), design.T @ centred)
    assert np.abs(weights.numpy() - expected).max() < 1e-9


def test_measured_pictures_are_held_out() -> None:
    sets = probe._Sets.of(DIGITS, (DIGITS, "train"), 0)
    learned = {picture.numpy().tobytes() for picture in sets.train}
    assert DIGITS.images is not None
    distinct = {picture.numpy().tobytes() for picture in DIGITS.images}
    assert len(distinct) == len(DIGITS.images)
    assert not learned.intersection(picture.numpy().tobytes() for picture in sets.test)


def test_large_features_bound_the_number_of_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MAX_NUMBERS", 256 * 100)
    result = measured(untrained())
    assert (result.n_train, result.n_test) == (100, 100)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (Data(images=DIGITS.images), "needs pictures with classes"),
        (labelled(100, [3]), "at least two classes"),
        (labelled(4, [1, 2]), "several pictures"),
        (labelled(1, [1]), "several pictures"),
    ],
)
def test_data_that_cannot_be_probed_are_refused(data: Data, words: str) -> None:
    with pytest.raises(CannotProbe, match=words):
        measured(untrained(), data)


def test_features_that_are_not_finite_are_refused() -> None:
    extractor = untrained()
    for weight in extractor.parameters():
        weight.fill_(float("nan"))
    with pytest.raises(CannotProbe, match="not finite"):
        measured(extractor)


def test_heartbeats_come_between_the_parts() -> None:
    beats: list[None] = []
    measure_probe(untrained(), DIGITS, (DIGITS, "train"), 0, lambda: beats.append(None))
    assert len(beats) > 3 * len(probe.RIDGES)
