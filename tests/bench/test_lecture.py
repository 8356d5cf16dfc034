"""The six runs of the lecture: each body resolves, and trains on digits in place of MNIST."""

import json
import math

import pytest
import torch

from bench.lecture import BODIES, names, recipe
from data.batches import Batches
from data.readers.builtin import load
from models.spec.recipe import Recipe
from worker.training.trainer import Trainer

RUNS = ["converges_but_fails", "good", "good_with_smoothing", "mlp", "mode_collapse", "not_great"]


def test_lecture_has_six_runs() -> None:
    assert names() == RUNS


def recipe_on_digits(name: str) -> Recipe:
    return recipe(name, dataset="digits", budget={"steps": 3}).model_copy(update={"batch_size": 16})


@pytest.mark.parametrize("name", RUNS)
def test_run_is_for_mnist_and_trains(name: str) -> None:
    torch.set_num_threads(1)
    assert recipe(name).data.dataset == "mnist"
    assert json.loads((BODIES / f"{name}.json").read_text())["model"] == f"lecture-{name.replace('_', '-')}"
    small_recipe, device = recipe_on_digits(name), torch.device("cpu")
    trainer = Trainer(small_recipe, Batches(small_recipe, load(small_recipe.data, None), device), device, "fp32")
    losses = [sum(loss.item() for loss in trainer.advance().values()) for _ in range(3)]
    assert all(math.isfinite(loss) for loss in losses)


def test_runs_differ_from_the_good_one_only_in_what_their_names_say() -> None:
    good = recipe("good").model_dump(exclude={"budget", "checkpoint_every", "report_every", "watch"})
    not_great, smoothed = (recipe(name).model_dump() for name in ("not_great", "good_with_smoothing"))
    assert {part for part in good if good[part] != not_great[part]} == {"generator", "critic"}
    assert {part for part in good["critic"] if good["critic"][part] != not_great["critic"][part]} == {"norm"}
    assert {part for part in good if good[part] != smoothed[part]} == {"objective"}
    assert smoothed["objective"]["smoothing"] == pytest.approx(0.1)
