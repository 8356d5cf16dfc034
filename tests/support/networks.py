"""Untrained networks with norms and outputs like those of trained ones."""

from typing import Any

import torch
from torch import nn

from models.build import build_generator
from models.spec.resolve import resolve
from serving.tiling import Translator


@torch.no_grad()
def randomise_norms(network: nn.Module) -> None:
    """Give batch norms statistics, gains and biases as after a training: none is 0 or 1."""
    rng = torch.Generator().manual_seed(2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.3, generator=rng)
            module.running_var.uniform_(0.5, 2, generator=rng)
            module.weight.uniform_(0.5, 1.5, generator=rng)
            module.bias.normal_(0, 0.2, generator=rng)


@torch.no_grad()
def vivid_translator(family: str, overrides: dict[str, Any]) -> Translator:
    """Build an untrained translator, its last layer scaled so that pictures are neither grey nor black and white."""
    recipe = resolve(family, seed=1, overrides=overrides)[1]
    generator = build_generator(recipe).eval()
    network = generator["a2b"] if isinstance(generator, nn.ModuleDict) else generator
    first, *_, last = [weight for weight in network.parameters() if weight.ndim > 1]
    noise = torch.rand(1, first.shape[1], 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    last.mul_(0.4 / network(noise).atanh().std())
    return Translator(network, recipe.side_multiple, recipe.upscaling, family == "inpaint", recipe.receptive_radius)
