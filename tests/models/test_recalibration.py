"""Recalibration of BatchNorm gives equal statistics in parts of a batch, and sends a heartbeat after each part."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from models import recalibration
from models.build import build_generator
from models.recalibration import recalibrate_batchnorm
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.batch_norms import norm_input_sizes, recalibrate_plainly

BATCHES, BATCH = 2, 16
SMALL_PART = 2**13
"""numbers at a time: so few that the later layers of all these networks are measured in parts"""
GENERATING = [name for name, family in FAMILIES.items() if resolve(name)[1].generates]


def build_seeded(family: str, **overrides: Any) -> tuple[Recipe, nn.Module]:
    recipe = resolve(family, dataset="digits", overrides=overrides)[1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return recipe, build_generator(recipe)


def statistics(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in network.state_dict().items() if "running" in name or "tracked" in name}


@pytest.mark.sampled(8, quick=3)
@pytest.mark.parametrize("family", [name for name in GENERATING if "images" in FAMILIES[name].kinds])
def test_recalibration_in_parts_equals_that_of_whole_batches(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, generator = build_seeded(family, data={"side": 16})
    whole, plain = copy.deepcopy(generator), copy.deepcopy(generator)
    recalibrate_batchnorm(whole, recipe, BATCHES, BATCH)
    counters = [name for name, value in statistics(whole).items() if "tracked" in name and value == BATCHES]
    recalibrate_plainly(plain, recipe, BATCHES, BATCH)
    monkeypatch.setattr(recalibration, "MAX_LAYER_NUMBERS", SMALL_PART)
    recalibrate_batchnorm(generator, recipe, BATCHES, BATCH)
    assert not generator.training
    for name, value in statistics(generator).items():
        if name.rpartition(".")[0] in {counter.rpartition(".")[0] for counter in counters}:
            assert torch.equal(statistics(whole)[name], statistics(plain)[name]), "whole batches: bit for bit"
            torch.testing.assert_close(value, statistics(plain)[name], rtol=1e-3, atol=1e-5)


def test_recalibration_memory_is_bounded_and_every_part_sends_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 2**16
    monkeypatch.setattr(recalibration, "MAX_LAYER_NUMBERS", limit)
    for side in (32, 64, 128):
        recipe, generator = build_seeded("dcgan", data={"side": side}, generator={"width": 4}, critic={"width": 4})
        heartbeats: list[None] = []
        with norm_input_sizes(generator) as sizes:
            recalibrate_batchnorm(generator, recipe, 1, BATCH, heartbeat=partial(heartbeats.append, None))
        assert max(sizes) <= limit
        assert len(heartbeats) >= sum(sizes) / limit / len(statistics(generator)), "one after every part"


def test_recalibration_does_not_compute_layers_behind_the_last_norm() -> None:
    recipe, generator = build_seeded("dcgan", data={"side": 32})
    calls: list[int] = []
    generator.paint.register_forward_hook(lambda *_: calls.append(1))  # type: ignore[union-attr]
    recalibrate_batchnorm(generator, recipe, BATCHES, BATCH)
    assert len(calls) == 1, "once, with one picture, to find the layers"
