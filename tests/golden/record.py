"""Record what every family's losses are over its first steps.

    python -m tests.golden.record [FAMILY ...]

Writes tests/golden/curves.json: all families, or only the named ones anew. The numbers are those of `small` recipes in
fp32 on one thread. Record again only where a change is meant to change them, and look at the difference.
"""

import json
import sys
from pathlib import Path

import torch

from models.spec.families import FAMILIES
from models.spec.training import Budget
from tests.training.test_exactness import small
from worker.training.batches import Batches
from worker.training.data import load
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

CURVES = Path(__file__).with_name("curves.json")
STEPS = 20
KEPT = (1, 2, 5, 10, 20)
"""the steps whose losses are kept"""
Curve = dict[str, list[float]]
ONE_THREAD = Numerics("cpu", "", threads=1, precision="fp32", torch="", deterministic=True)


def curve(family: str) -> Curve:
    """Each named loss at the kept steps."""
    apply(ONE_THREAD)
    recipe = small(family).model_copy(update={"budget": Budget(steps=STEPS)})
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    seen = [{name: loss.item() for name, loss in trainer.advance().items()} for _ in range(STEPS)]
    return {name: [float(f"{seen[step - 1][name]:.6g}") for step in KEPT if name in seen[step - 1]] for name in seen[0]}


def recorded() -> dict[str, Curve]:
    curves: dict[str, Curve] = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    return curves


def main(names: list[str]) -> None:
    curves = recorded()
    for name in names or FAMILIES:
        curves[name] = curve(name)
    kept = {name: curves[name] for name in FAMILIES if name in curves}
    CURVES.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
