"""The bench of modes in small: its cases resolve, a tiny run is counted, kept and told."""

import math
from pathlib import Path

import pytest
import torch

from bench import judge, modes, runs
from bench.modes import GAUSSIANS, PUBLISHED, STACKED, Case
from data.toy import MIXTURES
from worker.training.trainer import NonFinite, Trainer

TINY = Case("gan", "gan", {"budget": {"steps": 3}, "batch_size": 16, "generator": {"hidden": [8]}})
COUNTED = ["modes", "high_quality", "reverse_kl"]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "CACHE", tmp_path)
    return tmp_path


@pytest.mark.parametrize("case", GAUSSIANS, ids=lambda case: case.name)
@pytest.mark.parametrize("dataset", ["ring8", "grid25"])
def test_every_case_resolves_on_both_mixtures(case: Case, dataset: str) -> None:
    recipe = case.recipe(dataset, 7)
    assert (recipe.seed, recipe.data.dataset, recipe.data.kind) == (7, dataset, "points")


@pytest.mark.parametrize("case", STACKED, ids=lambda case: case.name)
def test_every_case_resolves_on_stacked_mnist(case: Case) -> None:
    assert getattr(case.recipe("stacked_mnist", 1).data, "channels", 0) == 3


def test_the_papers_settings_are_not_ours() -> None:
    """Nothing of our defaults is left in them: no scaling, no schedule, no average."""
    for case in GAUSSIANS[:2]:
        recipe = case.recipe("ring8", 1)
        assert (recipe.latent.scale, getattr(recipe.critic, "input_scale", None)) == (1, 1)
        assert (recipe.schedule.kind, recipe.ema.decay) == ("constant", 0)


def test_a_run_is_counted_and_told_with_its_steps(kept: Path) -> None:
    rows = modes.table([TINY], "ring8", 2, modes.points_captured, jobs=1)
    assert [row.figure for row in rows] == [*COUNTED, "seconds", "steps"]
    assert {row.case for row in rows} == {"ring8 gan"}
    assert all(row.n == 2 and row.spread is not None for row in rows[:3])
    assert rows[-1].value == 3
    captured = rows[0]
    assert captured.against["PacGAN2 7.9"] == pytest.approx(captured.value / 7.9)
    assert len(list(kept.glob("*.json"))) == 2


def test_a_kept_run_is_not_run_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = TINY.recipe("ring8", 1)
    (first,) = runs.measured([recipe], modes.points_captured)
    monkeypatch.setattr(Trainer, "advance", lambda trainer: pytest.fail("it trained again"))
    assert list(runs.measured([recipe], modes.points_captured)) == [first]
    slower_reports = recipe.model_copy(update={"report_every": 2})
    assert list(runs.measured([slower_reports], modes.points_captured)) == [first]
    assert runs.mark(modes.points_captured, recipe) != runs.mark(modes.points_captured, TINY.recipe("ring8", 2))


def test_a_run_that_is_not_finite_captured_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def diverged(recipe: object) -> Trainer:
        raise NonFinite(1, [0])

    monkeypatch.setattr(modes, "trained", diverged)
    figures = modes.points_captured(TINY.recipe("grid25", 1))
    assert [figures[name] for name in COUNTED] == [0, 0, math.log(25)]


def test_true_points_are_the_most_that_can_be_reached() -> None:
    values = {row.figure: row.value for row in modes.true_points("grid25")}
    assert values["modes"] == 25
    assert values["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.01)  # of a Rayleigh tail beyond 3
    assert values["reverse_kl"] < 0.02


def test_triples_are_read_digit_by_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that reads brightness: the first channel is the hundreds."""
    monkeypatch.setattr(judge, "classes", lambda reader, x: (x[:, 0, 0, 0] // 25).long())
    pictures = (torch.tensor([[1, 2, 3], [0, 0, 9]]) * 25 + 5) / 127.5 - 1
    assert modes.read(torch.nn.Identity(), pictures[:, :, None, None].expand(-1, -1, 4, 4)).tolist() == [123, 9]  # type: ignore[arg-type]


def test_published_figures_are_of_figures_that_are_measured() -> None:
    assert PUBLISHED.keys() == {"ring8", "grid25", "stacked_mnist"}
    assert all(PUBLISHED[dataset].keys() == set(COUNTED) for dataset in ("ring8", "grid25"))
    assert MIXTURES.keys() >= {"ring8", "grid25"}
