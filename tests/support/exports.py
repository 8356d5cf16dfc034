"""Exports without training, whose pictures nevertheless differ: an untouched network paints everything grey."""

from pathlib import Path

import torch

from models.build import build_generator
from models.export import recalibrate, write_export
from models.spec.recipe import Recipe


@torch.no_grad()
def write_vivid(path: Path, recipe: Recipe) -> None:
    """The recipe's initial weights, their statistics settled and the last layer made bold."""
    generator = build_generator(recipe)
    recalibrate(generator, recipe, batches=1)
    last = [weight for weight in generator.parameters() if weight.ndim > 1][-1]
    last.mul_(10)
    write_export(path, recipe, 0, generator)
