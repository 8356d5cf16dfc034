"""Estimates are told without torch, and hold against the networks themselves: their weights and what they keep."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from bench.estimates import counted
from data.batches import Batches
from data.readers.builtin import load
from models.build import build_critic, build_generator
from models.nets.autoencoder import Autoencoder
from models.nets.layers.common import set_progress
from models.spec.estimates.critic_sizes import critic_size
from models.spec.estimates.generator_sizes import generator_size
from models.spec.estimates.resources import ParameterCounts, count_parameters, estimate
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.players import layout
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
EVERY = [*((name, family.default_dataset, {}) for name, family in FAMILIES.items()), *CHANGED]
KEPT = [
    *(
        (name, "digits", {"data": {"side": 32}}) if "images" in family.kinds else (name, family.default_dataset, {})
        for name, family in FAMILIES.items()
    ),
    *(case for case in CHANGED if case[1] == "digits"),
]
"""small ones, of which all maps fit into memory"""


def recipe_of(family: str, dataset: str, overrides: dict[str, Any]) -> Recipe:
    return resolve(family, dataset=dataset, seed=1, overrides=overrides)[1]


def numbers(network: nn.Module | None) -> tuple[int, int]:
    """Trained weights, and all else that is kept with them."""
    if network is None:
        return 0, 0
    return sum(weight.numel() for weight in network.parameters()), sum(own.numel() for own in network.buffers())


@pytest.mark.parametrize(("family", "dataset", "overrides"), EVERY)
def test_weights_are_those_of_the_networks(family: str, dataset: str, overrides: dict[str, Any]) -> None:
    recipe = recipe_of(family, dataset, overrides)
    with torch.device("meta"):
        built = numbers(build_generator(recipe)), numbers(build_critic(recipe) if recipe.critic else None)
    pair = 2 if recipe.game.kind == "unpaired" else 1
    sizes = generator_size(recipe), critic_size(recipe)
    assert [(pair * size.weights, pair * size.buffers) for size in sizes] == list(built)
    assert count_parameters(recipe).total == counted(recipe), "with the network that compares contents"


def test_ninety_six_billion_weights_are_counted_at_once() -> None:
    wide = {"data": {"side": 512}, "latent": {"size": 4096}, "generator": {"width": 1024}, "critic": {"width": 1024}}
    found = estimate(recipe_of("dcgan", "digits", wide))
    assert found.parameters == ParameterCounts(generator=50_097_043_456, critic=45_803_122_688, features=0)
    assert found.memory_bytes > 4 * 4 * found.parameters.total


def test_estimates_need_no_torch() -> None:
    code = "import sys, app.services.creation.train, app.services.capacity.estimates; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


SAVED = 1.03
"""what the rules leave out, means and deviations of norms, is less than this"""
N = 4
FEW = 10_000
"""numbers below which the batch itself, which may or may not be kept, is a large part"""


def saved(network: nn.Module, run: Callable[[], object]) -> float:
    """Numbers that autograd keeps for the backward pass of what `run` computes, the network's own tensors apart."""
    own = {tensor.data_ptr() for tensor in (*network.parameters(), *network.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    del result
    return sum(storage.nbytes() for storage in kept.values()) / 4


def alone(network: nn.Module, name: str) -> nn.Module:
    """One of two, in training, at the end of its schedule, its weights as the trainer lays them."""
    one = network[name] if isinstance(network, nn.ModuleDict) else network
    set_progress(one, 1.0)
    return one.to(memory_format=layout(one)).train()  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(("family", "dataset", "overrides"), KEPT)
def test_what_is_kept_for_the_backward_pass_is_what_autograd_keeps(
    family: str, dataset: str, overrides: dict[str, Any]
) -> None:
    recipe = recipe_of(family, dataset, overrides)
    generator = alone(build_generator(recipe), "a2b")
    label = torch.arange(N) % recipe.classes if recipe.classes else None
    size, keeps = generator_size(recipe), saved(generator, lambda: made(generator, recipe, label))
    says = N * size.saved + size.recomputed
    assert keeps / SAVED <= says <= max(2 * keeps, FEW * N)
    if recipe.critic is None:
        return
    critic, size = alone(build_critic(recipe), "a"), critic_size(recipe)
    judged = torch.randn(N, *recipe.critic_input_shape)
    keeps = saved(critic, lambda: critic(judged, label))
    assert keeps / SAVED <= N * size.saved + N * N * size.saved_per_pair + size.recomputed <= max(2 * keeps, FEW * N)


def made(generator: nn.Module, recipe: Recipe, label: Tensor | None) -> object:
    if recipe.translates:
        side = recipe.shape[1] // recipe.upscaling
        return generator(torch.randn(N, recipe.input_channels, side, side))
    if isinstance(generator, Autoencoder):
        return generator(torch.randn(N, recipe.latent.size)), generator.encode(torch.randn(N, *recipe.shape))
    return generator(torch.randn(N, recipe.latent.size), label)


@pytest.mark.parametrize("family", ["cdcgan", "wgan", "cyclegan", "srgan", "vae"])
def test_a_checkpoint_is_as_large_as_estimated(family: str) -> None:
    """After a step, when optimisers have their moments. Nothing else grows with the number of checkpoints kept."""
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
