"""A plain recalibration of BatchNorm to compare with, and the sizes of what norms compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.latent import cycling_labels, draw_latent
from models.rng import Rng
from models.spec.recipe import Recipe


def recalibrate_plainly(generator: nn.Module, recipe: Recipe, batches: int, batch_size: int) -> None:
    """Set the statistics to the mean over batches, each computed at once and through the whole network."""
    norms = [module for module in generator.eval().modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    labels = cycling_labels(recipe.classes, batch_size)
    with torch.no_grad():
        for number in range(batches):
            stream = Rng(recipe.seed).stream("recalibrate", number)
            generator(draw_latent(recipe.latent, stream, batch_size), labels)
    generator.eval()


@contextmanager
def norm_input_sizes(network: nn.Module) -> Iterator[list[int]]:
    """List how many numbers each call passes to a norm."""
    sizes: list[int] = []
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    hooks = [norm.register_forward_pre_hook(lambda _, args: sizes.append(args[0].numel())) for norm in norms]
    yield sizes
    for hook in hooks:
        hook.remove()
