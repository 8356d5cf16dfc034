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

RECORDED_STEPS = (1, 2, 5, 10)
"""the steps whose losses are recorded; R1 is computed again in the ninth"""
STEPS = 20
"""the budget, which schedules follow"""
ONE_THREAD = Numerics("cpu", "", threads=1, precision="fp32", torch="", deterministic=True)


def curve(family: str) -> dict[str, list[float]]:
    """Return each named loss at the recorded steps, with six significant digits."""
    recipe = small_recipe(family).model_copy(update={"budget": Budget(steps=STEPS)})
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    losses = [{name: value.item() for name, value in trainer.advance().items()} for _ in range(max(RECORDED_STEPS))]
    return {
        name: [float(f"{losses[step - 1][name]:.6g}") for step in RECORDED_STEPS if name in losses[step - 1]]
        for name in losses[0]
    }


if __name__ == "__main__":
    apply(ONE_THREAD)
    print(json.dumps({family: curve(family) for family in sys.argv[1:]}))
