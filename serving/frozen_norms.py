"""InstanceNorm with fixed statistics: a tile uses those of its whole picture."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Statistics = dict[nn.InstanceNorm2d, tuple[Tensor, Tensor]]
"""mean and variance of each channel, by layer"""


@contextmanager
def noted(network: nn.Module) -> Iterator[Statistics]:
    """Meanwhile what each InstanceNorm of `network` sees is noted; of several runs the last."""
    seen: Statistics = {}

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.InstanceNorm2d)
        variance, mean = torch.var_mean(args[0], dim=(0, 2, 3), correction=0)
        seen[norm] = mean, variance

    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def frozen(seen: Statistics) -> Iterator[None]:
    """Meanwhile the layers, in eval mode, norm with what was `seen`. Between two uses others may use the network."""
    for norm, statistics in seen.items():
        norm.running_mean, norm.running_var = statistics
        norm.track_running_stats = True
    try:
        yield
    finally:
        for norm in seen:
            norm.running_mean = norm.running_var = None
            norm.track_running_stats = False
