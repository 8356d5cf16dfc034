"""The lecture's runs: each body resolves, and takes steps on digits in place of MNIST."""

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


def test_there_are_six() -> None:
    assert names() == RUNS


def small(name: str) -> Recipe:
    return recipe(name, dataset="digits", budget={"steps": 3}).model_copy(update={"batch_size": 16})


@pytest.mark.parametrize("name", RUNS)
def test_each_is_for_mnist_and_trains(name: str) -> None:
    torch.set_num_threads(1)
    assert recipe(name).data.dataset == "mnist"
    assert json.loads((BODIES / f"{name}.json").read_text())["model"] == f"lecture-{name.replace('_', '-')}"
    made, device = small(name), torch.device("cpu")
    trainer = Trainer(made, Batches(made, load(made.data, None), device), device, "fp32")
    losses = [sum(loss.item() for loss in trainer.advance().values()) for _ in range(3)]
    assert all(math.isfinite(loss) for loss in losses)


def test_the_bad_one_and_the_smoothed_one_differ_from_the_good_one_as_they_say() -> None:
    good = recipe("good").model_dump(exclude={"budget", "checkpoint_every", "report_every", "watch"})
    bad, smoothed = (recipe(name).model_dump() for name in ("not_great", "good_with_smoothing"))
    assert {part for part in good if good[part] != bad[part]} == {"generator", "critic"}
    assert {part for part in good["critic"] if good["critic"][part] != bad["critic"][part]} == {"norm"}
    assert {part for part in good if good[part] != smoothed[part]} == {"objective"}
    assert smoothed["objective"]["smoothing"] == pytest.approx(0.1)
