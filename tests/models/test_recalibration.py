"""BatchNorm's statistics come out the same in bounded parts of a batch, and a beat follows every part."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models import recalibration
from models.build import build_generator
from models.latent import cycling_labels, draw_latent
from models.recalibration import recalibrate
from models.rng import Rng
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve

BATCHES, BATCH = 2, 16
PARTED = 2**13
"""numbers at a time with which the later layers of all these networks are measured part by part"""
DRAWING = [name for name, family in FAMILIES.items() if resolve(name)[1].generates]


def made(family: str, **overrides: Any) -> tuple[Recipe, nn.Module]:
    recipe = resolve(family, dataset="digits", overrides=overrides)[1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return recipe, build_generator(recipe)


def plainly(generator: nn.Module, recipe: Recipe) -> None:
    """The mean over batches, each run at once and to its end."""
    norms = [module for module in generator.eval().modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    labels = cycling_labels(recipe.classes, BATCH)
    with torch.no_grad():
        for number in range(BATCHES):
            stream = Rng(recipe.seed).stream("recalibrate", number)
            generator(draw_latent(recipe.latent, stream, BATCH), labels)
    generator.eval()


def statistics(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if "running" in name or "tracked" in name}


@contextmanager
def largest(network: nn.Module) -> Iterator[list[int]]:
    """How many numbers each run gives its norms."""
    seen: list[int] = []
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    hooks = [norm.register_forward_pre_hook(lambda _, args: seen.append(args[0].numel())) for norm in norms]
    yield seen
    for hook in hooks:
        hook.remove()


@pytest.mark.sampled(8, quick=3)
@pytest.mark.parametrize("family", [name for name in DRAWING if "images" in FAMILIES[name].kinds])
def test_parts_give_what_whole_batches_give(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, generator = made(family, data={"side": 16})
    whole, plain = copy.deepcopy(generator), copy.deepcopy(generator)
    recalibrate(whole, recipe, BATCHES, BATCH)
    reached = [name for name, value in statistics(whole).items() if "tracked" in name and value == BATCHES]
    plainly(plain, recipe)
    monkeypatch.setattr(recalibration, "MAX_LAYER_NUMBERS", PARTED)
    recalibrate(generator, recipe, BATCHES, BATCH)
    assert not generator.training
    for name, value in statistics(generator).items():
        if name.rpartition(".")[0] in {one.rpartition(".")[0] for one in reached}:
            assert torch.equal(statistics(whole)[name], statistics(plain)[name]), "whole batches: bit for bit"
            torch.testing.assert_close(value, statistics(plain)[name], rtol=1e-3, atol=1e-5)


def test_memory_does_not_grow_with_the_side_and_every_part_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 2**16
    monkeypatch.setattr(recalibration, "MAX_LAYER_NUMBERS", most)
    for side in (32, 64, 128):
        recipe, generator = made("dcgan", data={"side": side}, generator={"width": 4}, critic={"width": 4})
        beats: list[None] = []
        with largest(generator) as seen:
            recalibrate(generator, recipe, 1, BATCH, beat=partial(beats.append, None))
        assert max(seen) <= most
        assert len(beats) >= sum(seen) / most / len(statistics(generator)), "one after every part"


def test_what_lies_behind_the_last_norm_is_not_computed() -> None:
    recipe, generator = made("dcgan", data={"side": 32})
    painted: list[int] = []
    generator.paint.register_forward_hook(lambda *_: painted.append(1))  # type: ignore[union-attr]
    recalibrate(generator, recipe, BATCHES, BATCH)
    assert len(painted) == 1, "once, of one picture, to find the layers"
