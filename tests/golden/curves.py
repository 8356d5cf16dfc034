"""Compute the losses of the named families' first steps: `python -m tests.golden.curves FAMILY ...` prints JSON."""

import json
import sys

import torch

from data.batches import Batches
from data.readers.builtin import load
from models.spec.training import Budget
from tests.support.recipes import small_recipe
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

KEPT = (1, 2, 5, 10)
"""the steps whose losses are kept; R1 is due in the ninth again"""
STEPS = 20
"""of the budget, which schedules follow"""
ONE_THREAD = Numerics("cpu", "", threads=1, precision="fp32", torch="", deterministic=True)


def curve(family: str) -> dict[str, list[float]]:
    """Each named loss at the kept steps, with six significant digits."""
    recipe = small_recipe(family).model_copy(update={"budget": Budget(steps=STEPS)})
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    seen = [{name: loss.item() for name, loss in trainer.advance().items()} for _ in range(max(KEPT))]
    return {name: [float(f"{seen[step - 1][name]:.6g}") for step in KEPT if name in seen[step - 1]] for name in seen[0]}


if __name__ == "__main__":
    apply(ONE_THREAD)
    print(json.dumps({family: curve(family) for family in sys.argv[1:]}))
