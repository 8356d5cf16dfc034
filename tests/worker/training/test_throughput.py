"""Throughput: a budget in minutes becomes steps once, measured with a trainer that is thrown away."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.checkpoint import SavedCheckpoint
from models.export import export_checkpoint
from models.spec.recipe import Recipe
from models.spec.resolve import resolve, with_steps
from worker.training.listener import NullListener
from worker.training.loop import train
from worker.training.numerics import apply, local_numerics
from worker.training.throughput import Throughput, measure_throughput, steps_within
from worker.training.trainer import NonFinite, Trainer


class NewestCheckpoint(NullListener):
    """A listener that keeps the newest checkpoint."""

    path: Path

    def saved(self, saved: SavedCheckpoint) -> None:
        self.path = saved.path


def recipe_in_minutes(minutes: float, **overrides: Any) -> Recipe:
    return resolve("gan", dataset="ring8", seed=3, budget={"minutes": minutes}, overrides=overrides)[1]


@pytest.mark.parametrize(
    ("minutes", "overrides", "throughput", "steps"),
    [
        (1, {}, Throughput(0.06, 0, 0), 1000),
        (1, {}, Throughput(0.01, 0.5, 1.0), 1900),  # 60 s minus 40 reports and 21 checkpoints
        (1, {"report_every": 1}, Throughput(0.01, 0.05, 0), 1000),  # a report at each step
        (
            1,
            {"checkpoint_every": 100, "report_every": 1000},
            Throughput(0.01, 0, 1.0),
            2900,
        ),  # and one checkpoint at step 0
        (0.01, {}, Throughput(30, 1, 1), 1),
        (60 * 24 * 30, {}, Throughput(1e-9, 0, 0), 100_000_000),
    ],
)
def test_steps_with_their_reports_and_checkpoints_fit_into_the_minutes(
    minutes: float, overrides: dict[str, Any], throughput: Throughput, steps: int
) -> None:
    assert steps_within(recipe_in_minutes(minutes, **overrides), throughput) == pytest.approx(steps, rel=0.02)


def test_default_intervals_follow_the_steps_and_requested_ones_stay() -> None:
    recipe = with_steps(recipe_in_minutes(1, report_every=7), 1000)
    assert (recipe.budget.steps, recipe.budget.minutes) == (1000, None)
    assert (recipe.checkpoint_every, recipe.report_every) == (50, 7)
    assert recipe == resolve("gan", dataset="ring8", seed=3, budget={"steps": 1000}, overrides={"report_every": 7})[1]


def test_measuring_throughput_does_not_change_the_trained_weights(tmp_path: Path) -> None:
    """A job that measured its throughput equals one whose request named the steps."""
    recipe = recipe_in_minutes(0.01)
    data, numerics = load(recipe.data, None), local_numerics("cpu", recipe, 1)
    apply(numerics)
    beats: list[None] = []
    trial = tmp_path / "trial"
    throughput = measure_throughput(recipe, data, numerics, lambda: beats.append(None), folder=trial)
    assert min(throughput.step, throughput.report, throughput.checkpoint) > 0
    assert len(beats) >= 3
    assert list(tmp_path.iterdir()) == [trial]
    whole = with_steps(recipe, 12)
    exports = []
    for name in ("measured", "given"):
        newest = NewestCheckpoint()
        torch.manual_seed(len(name))  # the state of the global generator must not matter
        train(whole, data, newest, folder=tmp_path / name, attempt=1, resume=None, numerics=numerics)
        if name == "measured":
            measure_throughput(recipe, data, numerics, lambda: None, folder=trial)
        export_checkpoint(whole, newest.path, tmp_path / f"{name}.safetensors")
        exports.append((tmp_path / f"{name}.safetensors").read_bytes())
    assert exports[0] == exports[1]


def test_throughput_is_measured_in_the_given_folder_with_the_given_weights(tmp_path: Path) -> None:
    recipe = recipe_in_minutes(0.01)
    data, numerics = load(recipe.data, None), local_numerics("cpu", recipe, 1)
    apply(numerics)
    device = torch.device("cpu")
    state = Trainer(recipe, Batches(recipe, data, device), device, numerics.precision).state_dict()
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        measure_throughput(recipe, data, numerics, lambda: None, folder=tmp_path / "file" / "trial")
    for weights in state["generator"].values():
        weights.fill_(torch.nan)
    broken = checkpoint.save(state, tmp_path, 1).path
    with pytest.raises(NonFinite):
        measure_throughput(recipe, data, numerics, lambda: None, folder=tmp_path, start=broken)
