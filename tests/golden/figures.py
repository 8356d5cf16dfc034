"""Evaluate untrained generators: `python -m tests.golden.figures FAMILY/DATASET ...` prints JSON.

Each case holds the figures of the full evaluation and those that are measured during training.
"""

import json
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from data.batches import Batches
from data.readers.builtin import load
from models.spec.resolve import resolve
from tests.golden.curves import ONE_THREAD
from worker.evaluation import generator_under_test
from worker.evaluation.full import evaluate
from worker.evaluation.live import Inspector
from worker.training.numerics import apply
from worker.training.trainer import Trainer

CASES = (
    "cdcgan/digits", "dcgan/digits", "vae/digits", "gan/ring8", "gan/gaussian1d", "vae/ring8", "gumbel_gan/dyck",
    "cyclegan/day2night", "pix2pix/day2night", "srgan/digits", "inpaint/digits",
)  # fmt: skip
"""one of each kind of data and game"""
EXAMPLES = 64
JUDGE_STEPS = 60
TRANSLATED = {"data": {"side": 16}}
Figures = dict[str, float]


def figures(case: str, cache: Path) -> dict[str, Figures]:
    """Return the figures by name, `full` and `live`, with six significant digits."""
    family, dataset = case.split("/")
    changes = TRANSLATED if dataset == "day2night" else {}
    watch = {"samples": EXAMPLES}
    recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": 100}, overrides=changes | {"watch": watch})[1]
    device = torch.device("cpu")
    data = load(recipe.data, None)
    trainer = Trainer(recipe, Batches(recipe, data, device), device, "fp32")
    generator = trainer.average.network.eval()
    full = evaluate(recipe, generator, 7, partial(load, recipe.data, None), n=EXAMPLES, cache=cache)
    return {"full": _rounded(full.figures), "live": _rounded(Inspector(recipe, generator, data, cache).measure())}


def _rounded(values: Figures) -> Figures:
    return {name: float(f"{value:.6g}") for name, value in sorted(values.items())}


if __name__ == "__main__":
    apply(ONE_THREAD)
    shorter = {"QUICK_STEPS": JUDGE_STEPS, "FULL_STEPS": JUDGE_STEPS}
    assert shorter.keys() <= vars(generator_under_test).keys()
    vars(generator_under_test).update(shorter)
    with TemporaryDirectory() as folder:
        print(json.dumps({case: figures(case, Path(folder)) for case in sys.argv[1:]}))
