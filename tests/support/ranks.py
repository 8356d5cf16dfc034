"""Recipes trained by one process or by several ranks: `python -m tests.support.ranks TASK RANK OF FOLDER`.

The folder's `recipes.json` says what is trained. Of the task `courses`, a few steps each, every rank leaves
`told-RANK.json` there; of `troubles`, one whole training, rank 0 does. Of `alike` each
says whether equal tensors are found alike, and whether different ones are.
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
from worker.training.listener import Quiet
from worker.training.loop import follow, train
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

STEPS = 3
LONGEST_S = 1200
"""ranks wait for each other at every layer: on busy cores a minute becomes ten"""
Course = list[dict[str, float]]
"""what each step told"""


def courses(recipes: Sequence[Recipe]) -> list[Course]:
    """Computed by this process, as whatever rank it is."""
    apply(Numerics("cpu", "", 1, "fp32", "", deterministic=True))
    return [course(recipe) for recipe in recipes]


def course(recipe: Recipe) -> Course:
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    told = [_numbers(trainer.advance() | trainer.gauges()) for _ in range(STEPS)]
    return [*told, {"critic_accuracy": trainer.critic_accuracy(), "weights": _size(trainer)}]


def _numbers(losses: Losses) -> dict[str, float]:
    return {name: loss.item() for name, loss in losses.items()}


def _size(trainer: Trainer) -> float:
    """Of all weights and running statistics."""
    networks = [trainer.average.network, *trainer.game.players.values(), trainer.game]
    tensors: list[Tensor] = [tensor for network in networks for tensor in network.state_dict().values()]
    return float(sum(tensor.double().abs().sum() for tensor in tensors))


def courses_by_ranks(recipes: Sequence[Recipe], folder: Path, of: int) -> list[list[Course]]:
    """Train the recipes in `of` processes; for each process the losses of each recipe's steps."""
    _together("courses", recipes, folder, of)
    return [json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(of)]


def troubles_by_ranks(recipe: Recipe, folder: Path, of: int) -> list[tuple[int, str]]:
    """Step and kind of each trouble of a whole training, and where it ended."""
    _together("troubles", [recipe], folder, of)
    return [(step, kind) for step, kind in json.loads((folder / "told-0.json").read_text())]


def troubles(recipe: Recipe, folder: Path) -> list[tuple[int, str]]:
    """By this process, as whatever rank it is; all but the first have none to tell."""
    numerics = Numerics("cpu", "", 1, "fp32", "", deterministic=True)
    apply(numerics)
    data, notes = load(recipe.data, None), _Notes()
    if distributed.rank():
        follow(recipe, data, numerics)
        return []
    ended = train(recipe, data, notes, folder=folder, attempt=1, resume=None, numerics=numerics)
    return [*notes.troubles, (ended.step, type(ended).__name__)]


class _Notes(Quiet):
    def __init__(self) -> None:
        self.troubles: list[tuple[int, str]] = []

    def trouble(self, step: int, kind: str, message: str) -> None:
        self.troubles.append((step, kind))


def alike_by_ranks(folder: Path, of: int) -> list[list[bool]]:
    """For each rank."""
    _together("alike", [], folder, of)
    return [json.loads((folder / f"told-{rank}.json").read_text()) for rank in range(of)]


def _alike() -> list[bool]:
    same, other = torch.tensor([1.0, torch.nan]), torch.tensor([1.0, distributed.rank() * 1e-6])
    return [distributed.equal_on_all_ranks([same]), distributed.equal_on_all_ranks([same, other])]


def _together(task: str, recipes: Sequence[Recipe], folder: Path, of: int) -> None:
    """Run this module once for each rank, with the instructions that every machine has."""
    (folder / "recipes.json").write_text(json.dumps([recipe.model_dump(mode="json") for recipe in recipes]))
    command = [sys.executable, "-P", "-m", "tests.support.ranks", task]
    started = [
        subprocess.Popen([*command, str(rank), str(of), str(folder)], cwd=CHECKOUT, env=environment())
        for rank in range(of)
    ]
    try:
        assert [process.wait(LONGEST_S) for process in started] == [0] * of
    finally:
        for process in started:
            process.kill()
            process.wait()


def main(task: str, rank: int, of: int, folder: Path) -> None:
    recipes = [Recipe.model_validate(recipe) for recipe in json.loads((folder / "recipes.json").read_text())]
    if of > 1:
        distributed.join("cpu", str(folder / "store"), rank, of)
    match task:
        case "courses":
            told: object = courses(recipes)
        case "troubles":
            told = troubles(recipes[0], folder)
        case _:
            told = _alike()
    (folder / f"told-{rank}.json").write_text(json.dumps(told))
    distributed.leave()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    os._exit(0)  # as worker.runners.ranks ends
