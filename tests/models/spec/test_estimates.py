"""Estimates need no torch, and agree with the networks: their weights, and the tensors kept for the backward pass."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.estimates import counted
from data.batches import Batches
from data.readers.builtin import load
from models.build import build_critic, build_generator
from models.nets.autoencoder import Autoencoder
from models.nets.layers.common import set_training_progress
from models.spec.estimates.critic_sizes import critic_size
from models.spec.estimates.generator_sizes import generator_size
from models.spec.estimates.resources import ParameterCounts, count_parameters, estimate
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.autograd import count_saved_numbers
from worker.training.players import memory_format_of
from worker.training.trainer import Trainer

CHANGED: list[tuple[str, str, dict[str, Any]]] = [
    ("gan", "ring8", {"critic": {"minibatch": "discrimination", "hidden": [7, 5]}}),
    ("gan", "digits", {"generator": {"hidden": [9], "norm": "batch"}, "critic": {"hidden": []}}),
    ("gan", "digits", {"generator": {"hidden": []}, "critic": {"minibatch": "deviation"}}),
    ("cgan", "mnist", {"critic": {"conditioning": "none"}, "penalties": [{"kind": "auxiliary"}]}),
    ("dcgan", "mnist", {"data": {"channels": 3}, "critic": {"minibatch": "discrimination", "norm": "spectral"}}),
    ("dcgan", "mnist", {"data": {"side": 30}}),
    ("dcgan", "digits", {"data": {"side": 8}, "generator": {"norm": "none", "refine": True}, "game": {"packing": 4}}),
    ("cdcgan", "cifar10", {"data": {"side": 75}, "critic": {"norm": "spectral", "dropout": 0.2}}),
    ("cdcgan", "digits", {"critic": {"minibatch": "deviation"}}),
    ("cdcgan", "stacked_mnist", {}),
    ("sngan", "mnist", {"data": {"side": 100}, "generator": {"spectral": True}, "critic": {"attention": True}}),
    ("sagan", "digits", {"critic": {"minibatch": "discrimination", "norm": "none"}}),
    ("biggan", "mnist", {"data": {"side": 64}, "latent": {"size": 41}, "generator": {"attention": False}}),
    ("progan", "digits", {"data": {"side": 100}, "critic": {"minibatch": "none"}}),
    ("stackgan", "digits", {"data": {"side": 100}, "generator": {"condition": 3}, "critic": {"conditioning": "none"}}),
    ("stackgan", "digits", {"data": {"side": 8}}),
    ("began", "digits", {"data": {"side": 100}, "critic": {"code": 7}}),
    ("d2gan", "ring8", {}),
    ("mdgan", "grid25", {}),
    ("mdgan", "digits", {"data": {"side": 28}, "generator": {"norm": "none"}}),
    ("vae", "gaussian1d", {}),
    ("autoencoder", "digits", {"game": {"divergence": 1}}),
    ("linear_autoencoder", "mnist", {}),
    ("gumbel_gan", "dyck", {"generator": {"width": 5}, "critic": {"width": 9}, "latent": {"size": 49}}),
    ("cyclegan", "day2night", {"data": {"side": 128}}),
    ("cyclegan", "day2night", {"data": {"side": 256}, "generator": {"skips": True, "upsample": "nearest"}}),
    ("cyclegan", "day2night", {"data": {"channels": 1}, "critic": {"layers": 4}, "generator": {"norm": "none"}}),
    ("pix2pix", "day2night", {"data": {"side": 256}}),
    ("pix2pix", "mnist", {"generator": {"norm": "batch", "depth": 1, "skips": False}}),
    ("pix2pix", "day2night", {"game": {"conditional": False, "content": 1, "features": "vgg19"}}),
    ("srgan", "digits", {"game": {"factor": 4}}),
    ("srgan", "mnist", {"data": {"side": 96}}),
    ("inpaint", "mnist", {"data": {"side": 128}, "game": {"mask": "left"}}),
]  # fmt: skip
ALL_CASES = [*((name, family.default_dataset, {}) for name, family in FAMILIES.items()), *CHANGED]
SMALL_CASES = [
    *(
        (name, "digits", {"data": {"side": 32}}) if "images" in family.kinds else (name, family.default_dataset, {})
        for name, family in FAMILIES.items()
    ),
    *(case for case in CHANGED if case[1] == "digits"),
]
"""cases so small that all feature maps fit into memory"""


def recipe_of(family: str, dataset: str, overrides: dict[str, Any]) -> Recipe:
    return resolve(family, dataset=dataset, seed=1, overrides=overrides)[1]


def count_numbers(network: nn.Module | None) -> tuple[int, int]:
    """Return the number of trained weights, and of all other values that the network keeps."""
    if network is None:
        return 0, 0
    return sum(weight.numel() for weight in network.parameters()), sum(buffer.numel() for buffer in network.buffers())


@pytest.mark.parametrize(("family", "dataset", "overrides"), ALL_CASES)
def test_counted_weights_equal_those_of_the_networks(family: str, dataset: str, overrides: dict[str, Any]) -> None:
    recipe = recipe_of(family, dataset, overrides)
    with torch.device("meta"):
        built = count_numbers(build_generator(recipe)), count_numbers(build_critic(recipe) if recipe.critic else None)
    pair = 2 if recipe.game.kind == "unpaired" else 1
    sizes = generator_size(recipe), critic_size(recipe)
    assert [(pair * size.weights, pair * size.buffers) for size in sizes] == list(built)
    assert count_parameters(recipe).total == counted(recipe), "with the network of the content loss"


def test_ninety_six_billion_weights_are_counted_without_building_them() -> None:
    wide = {"data": {"side": 512}, "latent": {"size": 4096}, "generator": {"width": 1024}, "critic": {"width": 1024}}
    estimated = estimate(recipe_of("dcgan", "digits", wide))
    assert estimated.parameters == ParameterCounts(generator=50_097_043_456, critic=45_803_122_688, features=0)
    assert estimated.memory_bytes > 4 * 4 * estimated.parameters.total


def test_estimates_need_no_torch() -> None:
    code = "import sys, app.services.creation.train, app.services.capacity.estimates; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TOLERANCE = 1.03
"""factor for what the estimate leaves out: means and deviations of norms"""
BATCH = 4
MIN_NUMBERS = 10_000
"""numbers per example below which the batch itself, which may or may not be kept, is a large part"""


def single_network(network: nn.Module, name: str) -> nn.Module:
    """Return the network, or the named one of a pair: in training, at the end of its schedule, laid out for it."""
    one = network[name] if isinstance(network, nn.ModuleDict) else network
    set_training_progress(one, 1.0)
    return one.to(memory_format=memory_format_of(one)).train()  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(("family", "dataset", "overrides"), SMALL_CASES)
def test_estimate_of_tensors_for_the_backward_pass_agrees_with_autograd(
    family: str, dataset: str, overrides: dict[str, Any]
) -> None:
    recipe = recipe_of(family, dataset, overrides)
    generator = single_network(build_generator(recipe), "a2b")
    label = torch.arange(BATCH) % recipe.classes if recipe.classes else None
    size = generator_size(recipe)
    saved = count_saved_numbers(generator, lambda: run_generator(generator, recipe, label))
    estimated = BATCH * size.saved + size.recomputed
    assert saved / TOLERANCE <= estimated <= max(2 * saved, MIN_NUMBERS * BATCH)
    if recipe.critic is None:
        return
    critic, size = single_network(build_critic(recipe), "a"), critic_size(recipe)
    examples = torch.randn(BATCH, *recipe.critic_input_shape)
    saved = count_saved_numbers(critic, lambda: critic(examples, label))
    estimated = BATCH * size.saved + BATCH * BATCH * size.saved_per_pair + size.recomputed
    assert saved / TOLERANCE <= estimated <= max(2 * saved, MIN_NUMBERS * BATCH)


def run_generator(generator: nn.Module, recipe: Recipe, label: Tensor | None) -> object:
    if recipe.translates:
        side = recipe.shape[1] // recipe.upscaling
        return generator(torch.randn(BATCH, recipe.input_channels, side, side))
    if isinstance(generator, Autoencoder):
        return generator(torch.randn(BATCH, recipe.latent.size)), generator.encode(torch.randn(BATCH, *recipe.shape))
    return generator(torch.randn(BATCH, recipe.latent.size), label)


@pytest.mark.parametrize("family", ["cdcgan", "wgan", "cyclegan", "srgan", "vae"])
def test_a_checkpoint_is_as_large_as_estimated(family: str) -> None:
    """Measured after a step, when optimisers have their moments. The disk estimate grows by one checkpoint each."""
    small = {"data": {"side": 32}} if family == "cyclegan" else {}
    recipe = recipe_of(family, FAMILIES[family].default_dataset, {"batch_size": 2} | small)
    device = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    trainer.advance()
    state = sum(tensor.numel() * tensor.element_size() for tensor in tensors(trainer.state_dict()))
    with_two, with_three = (estimate(recipe, checkpoints=n).disk_bytes for n in (2, 3))
    assert with_three - with_two == pytest.approx(state, rel=0.01, abs=10_000)


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value.values() for tensor in tensors(part)] if isinstance(value, dict) else []
