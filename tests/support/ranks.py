"""Recipes trained by one process or by several ranks: `python -m tests.support.ranks TASK RANK RANKS FOLDER`.

The folder's `recipes.json` holds the recipes, and each rank writes its result to `result-RANK.json` there. The tasks:
`losses` takes a few steps of each recipe; `troubles` trains the first recipe to its end, and rank 0 reports;
`equality` says whether equal tensors are found equal on all ranks, and whether different ones are.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from app.core.settings import CHECKOUT
from data.batches import Batches
from data.readers.builtin import load
from models import distributed
from models.duel import Losses
from models.spec.recipe import Recipe
from tests.support.machines import environment
from worker.training.listener import NullListener
from worker.training.loop import follow_rank_0, train
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

STEPS = 3
TIMEOUT_S = 1200
"""Ranks wait for each other at every layer: on busy cores a minute can become ten."""
LossCurve = list[dict[str, float]]
"""the losses and gauges of each step by name"""


def losses_of(recipes: Sequence[Recipe]) -> list[LossCurve]:
    """Compute the curves in this process, which may be one of several ranks."""
    apply(Numerics("cpu", "", 1, "fp32", "", deterministic=True))
    return [loss_curve(recipe) for recipe in recipes]


def loss_curve(recipe: Recipe) -> LossCurve:
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    steps = [_numbers(trainer.advance() | trainer.gauges()) for _ in range(STEPS)]
    return [*steps, {"critic_accuracy": trainer.critic_accuracy(), "weights": _sum_of_weights(trainer)}]


def _numbers(losses: Losses) -> dict[str, float]:
    return {name: loss.item() for name, loss in losses.items()}


def _sum_of_weights(trainer: Trainer) -> float:
    """Return the sum of the magnitudes of all weights and running statistics."""
    networks = [trainer.average.network, *trainer.game.players.values(), trainer.game]
    tensors: list[Tensor] = [tensor for network in networks for tensor in network.state_dict().values()]
    return float(sum(tensor.double().abs().sum() for tensor in tensors))


def losses_by_ranks(recipes: Sequence[Recipe], folder: Path, ranks: int) -> list[list[LossCurve]]:
    """Train the recipes in `ranks` processes; return for each process the curve of each recipe."""
    _run_ranks("losses", recipes, folder, ranks)
    return [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(ranks)]


def troubles_by_ranks(recipe: Recipe, folder: Path, ranks: int) -> list[tuple[int, str]]:
    """Train to the end; return step and kind of each trouble, and where the training ended."""
    _run_ranks("troubles", [recipe], folder, ranks)
    return [(step, kind) for step, kind in json.loads((folder / "result-0.json").read_text())]


def troubles(recipe: Recipe, folder: Path) -> list[tuple[int, str]]:
    """Train in this process, which may be one of several ranks; only rank 0 returns troubles."""
    numerics = Numerics("cpu", "", 1, "fp32", "", deterministic=True)
    apply(numerics)
    data, recorder = load(recipe.data, None), _TroubleRecorder()
    if distributed.rank():
        follow_rank_0(recipe, data, numerics)
        return []
    ended = train(recipe, data, recorder, folder=folder, attempt=1, resume=None, numerics=numerics)
    return [*recorder.troubles, (ended.step, type(ended).__name__)]


class _TroubleRecorder(NullListener):
    def __init__(self) -> None:
        self.troubles: list[tuple[int, str]] = []

    def trouble(self, step: int, kind: str, message: str) -> None:
        self.troubles.append((step, kind))


def equality_by_ranks(folder: Path, ranks: int) -> list[list[bool]]:
    """Return for each rank whether it found equal tensors equal, and different ones."""
    _run_ranks("equality", [], folder, ranks)
    return [json.loads((folder / f"result-{rank}.json").read_text()) for rank in range(ranks)]


def _equality() -> list[bool]:
    same, other = torch.tensor([1.0, torch.nan]), torch.tensor([1.0, distributed.rank() * 1e-6])
    return [distributed.equal_on_all_ranks([same]), distributed.equal_on_all_ranks([same, other])]


def _run_ranks(task: str, recipes: Sequence[Recipe], folder: Path, ranks: int) -> None:
    """Run this module once for each rank, limited to instructions that every x86-64 machine of today has."""
    (folder / "recipes.json").write_text(json.dumps([recipe.model_dump(mode="json") for recipe in recipes]))
    command = [sys.executable, "-P", "-m", "tests.support.ranks", task]
    started = [
        subprocess.Popen([*command, str(rank), str(ranks), str(folder)], cwd=CHECKOUT, env=environment())
        for rank in range(ranks)
    ]
    try:
        assert [process.wait(TIMEOUT_S) for process in started] == [0] * ranks
    finally:
        for process in started:
            process.kill()
            process.wait()


def main(task: str, rank: int, ranks: int, folder: Path) -> None:
    recipes = [Recipe.model_validate(recipe) for recipe in json.loads((folder / "recipes.json").read_text())]
    if ranks > 1:
        distributed.join("cpu", str(folder / "store"), rank, ranks)
    match task:
        case "losses":
            result: object = losses_of(recipes)
        case "troubles":
            result = troubles(recipes[0], folder)
        case _:
            result = _equality()
    (folder / f"result-{rank}.json").write_text(json.dumps(result))
    distributed.leave()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    os._exit(0)  # as worker.runners.ranks ends
