"""The bench of quality, in small: scikit-learn's digits in place of MNIST, and a few steps in place of thousands."""

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench import judge, quality, runs
from bench.modes import Case
from bench.quality import CONDITIONAL, OBJECTIVES
from data.readers.builtin import Split, load
from models.spec.data import Images
from worker.training.trainer import NonFinite, Trainer

CONDITIONAL_FIGURES = ["agreement", "spread", "gan_train", "frechet"]


@lru_cache
def digits(split: Split) -> tuple[Tensor, Tensor]:
    whole = load(Images(dataset="digits", side=28, channels=1, classes=10), None)
    assert whole.images is not None
    assert whole.labels is not None
    return whole.images[:400], whole.labels[:400]


@pytest.fixture
def small_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(quality, "digits", digits)
    monkeypatch.setattr(quality, "DRAWN", 100)
    monkeypatch.setattr(quality, "DRAWN_FOR_STUDENT", 200)
    monkeypatch.setattr(quality, "JUDGE_EPOCHS", 2)
    monkeypatch.setattr(quality, "STUDENT_EPOCHS", 1)
    monkeypatch.setattr(judge, "CACHE", tmp_path)
    monkeypatch.setattr(runs, "CACHE", tmp_path / "runs")
    for cached in (quality.reader, quality._real_features):
        cached.cache_clear()
    return tmp_path


@pytest.mark.parametrize("case", [*CONDITIONAL, *OBJECTIVES], ids=lambda case: case.name)
def test_case_resolves_on_mnist(case: Case) -> None:
    recipe = case.recipe("mnist", 3)
    assert (recipe.seed, recipe.class_conditional) == (3, case in CONDITIONAL)


@pytest.mark.slow
def test_conditional_case_gets_every_figure_and_published_ratios(small_bench: Path) -> None:
    real = quality.real_digits()
    assert list(real) == CONDITIONAL_FIGURES
    assert real["spread"] == pytest.approx(1, abs=0.1)
    rows = quality.table([CONDITIONAL[0].within(3)], quality.as_asked, real, seeds=2, jobs=1)
    assert [row.figure for row in rows] == [*CONDITIONAL_FIGURES, "seconds", "steps"]
    assert all(math.isfinite(row.value) for row in rows)
    assert [row.n for row in rows] == [2] * 5 + [None]
    assert rows[0].against == pytest.approx(
        {"published 99.55%": rows[0].value / 0.9955, "real": rows[0].value / real["agreement"]}
    )
    assert len(list((small_bench / "runs").iterdir())) == 2, "runs are cached"


@pytest.mark.slow
def test_objective_that_diverges_is_measured_as_grey_pictures(
    small_bench: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = OBJECTIVES[0].within(2)
    trained = quality.apart(case.recipe("mnist", 1))
    monkeypatch.setattr(Trainer, "check_finite", _raises(NonFinite(2, [0])))
    diverged = quality.apart(case.recipe("mnist", 1))
    assert set(trained) == set(diverged) == {"frechet", "seconds"}
    grey_distance = quality._distance(torch.full((100, 1, 28, 28), 128, dtype=torch.uint8))
    assert diverged["frechet"] == pytest.approx(grey_distance)
    assert trained["frechet"] != pytest.approx(grey_distance)


def _raises(error: Exception) -> Callable[[Trainer], None]:
    def check(trainer: Trainer) -> None:
        raise error

    return check
