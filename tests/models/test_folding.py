"""A folded network computes what it computed."""

import copy

import pytest
import torch
from torch import nn

from models.build import build_generator
from models.export import cycling_labels, recalibrate
from models.latent import draw_latent
from models.nets.folding import fold
from models.rng import Rng
from models.spec.families import FAMILIES
from models.spec.resolve import resolve

ONE_LEVEL = 1 / 127.5
DRAWING = [name for name in FAMILIES if resolve(name, seed=1)[1].draws]


@pytest.mark.parametrize("family", DRAWING)
def test_a_folded_generator_draws_the_same(family: str) -> None:
    _, recipe = resolve(family, seed=1)
    generator = build_generator(recipe).eval()
    recalibrate(generator, recipe, batches=2, batch_size=16)
    folded = copy.deepcopy(generator)
    fold(folded)
    z, labels = draw_latent(recipe.latent, Rng(1).stream("folding"), 8), cycling_labels(recipe.classes, 8)
    with torch.inference_mode():
        assert (folded(z, labels) - generator(z, labels)).abs().max() < ONE_LEVEL / 4


@pytest.mark.parametrize("family", ["dcgan", "cdcgan"])
def test_no_statistics_are_left_to_apply(family: str) -> None:
    generator = build_generator(resolve(family, seed=1)[1]).eval()
    assert any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())
    fold(generator)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())
