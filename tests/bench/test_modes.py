"""The bench of modes, in small: its cases resolve, and a tiny run is counted, cached and reported."""

import math
from pathlib import Path

import pytest
import torch

from bench import judge, modes, runs
from bench.modes import GAUSSIANS, PUBLISHED, STACKED, Case
from data.toy import MIXTURES
from worker.training.trainer import NonFinite, Trainer

TINY = Case("gan", "gan", {"budget": {"steps": 3}, "batch_size": 16, "generator": {"hidden": [8]}})
MODE_FIGURES = ["modes", "high_quality", "reverse_kl"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "CACHE", tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", GAUSSIANS, ids=lambda case: case.name)
@pytest.mark.parametrize("dataset", ["ring8", "grid25"])
def test_case_resolves_on_both_mixtures(case: Case, dataset: str) -> None:
    recipe = case.recipe(dataset, 7)
    assert (recipe.seed, recipe.data.dataset, recipe.data.kind) == (7, dataset, "points")


@pytest.mark.parametrize("case", STACKED, ids=lambda case: case.name)
def test_case_resolves_on_stacked_mnist(case: Case) -> None:
    assert getattr(case.recipe("stacked_mnist", 1).data, "channels", 0) == 3


def test_cases_of_papers_use_none_of_our_defaults() -> None:
    """No scaling of latents or inputs, no schedule, no weight average."""
    for case in GAUSSIANS[:2]:
        recipe = case.recipe("ring8", 1)
        assert (recipe.latent.scale, getattr(recipe.critic, "input_scale", None)) == (1, 1)
        assert (recipe.schedule.kind, recipe.ema.decay) == ("constant", 0)


def test_table_has_figures_with_spread_steps_and_published_ratios(cache: Path) -> None:
    rows = modes.table([TINY], "ring8", 2, modes.points_captured, jobs=1)
    assert [row.figure for row in rows] == [*MODE_FIGURES, "seconds", "steps"]
    assert {row.case for row in rows} == {"ring8 gan"}
    assert all(row.n == 2 and row.spread is not None for row in rows[:3])
    assert rows[-1].value == 3
    captured = rows[0]
    assert captured.against["PacGAN2 7.9"] == pytest.approx(captured.value / 7.9)
    assert len(list(cache.glob("*.json"))) == 2


def test_cached_run_is_not_trained_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = TINY.recipe("ring8", 1)
    (first,) = runs.measured([recipe], modes.points_captured)
    monkeypatch.setattr(Trainer, "advance", lambda trainer: pytest.fail("it trained again"))
    assert list(runs.measured([recipe], modes.points_captured)) == [first]
    slower_reports = recipe.model_copy(update={"report_every": 2})
    assert list(runs.measured([slower_reports], modes.points_captured)) == [first]
    assert runs.mark(modes.points_captured, recipe) != runs.mark(modes.points_captured, TINY.recipe("ring8", 2))


def test_run_that_diverges_captures_no_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(recipe: object) -> Trainer:
        raise NonFinite(1, [0])

    monkeypatch.setattr(modes, "trained", diverged)
    figures = modes.points_captured(TINY.recipe("grid25", 1))
    assert [figures[name] for name in MODE_FIGURES] == [0, 0, math.log(25)]


def test_true_points_reach_the_best_possible_figures() -> None:
    values = {row.figure: row.value for row in modes.true_points("grid25")}
    assert values["modes"] == 25
    # the share of a Rayleigh distribution within three deviations
    assert values["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert values["reverse_kl"] < 0.02


def test_stacked_digits_are_read_with_the_first_channel_as_hundreds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is replaced by one that reads a digit from the brightness."""
    monkeypatch.setattr(judge, "classes", lambda reader, x: (x[:, 0, 0, 0] // 25).long())
    pictures = (torch.tensor([[1, 2, 3], [0, 0, 9]]) * 25 + 5) / 127.5 - 1
    assert modes.read(torch.nn.Identity(), pictures[:, :, None, None].expand(-1, -1, 4, 4)).tolist() == [123, 9]  # type: ignore[arg-type]


def test_published_values_are_of_measured_figures_and_datasets() -> None:
    assert PUBLISHED.keys() == {"ring8", "grid25", "stacked_mnist"}
    assert all(PUBLISHED[dataset].keys() == set(MODE_FIGURES) for dataset in ("ring8", "grid25"))
    assert MIXTURES.keys() >= {"ring8", "grid25"}
