"""InstanceNorm with fixed statistics, so that a tile is normalised by the statistics of its whole picture."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

NormStatistics = dict[nn.InstanceNorm2d, tuple[Tensor, Tensor]]
"""mean and variance of each channel, by layer"""


@contextmanager
def recording(network: nn.Module) -> Iterator[NormStatistics]:
    """Yield a dict that gets the input statistics of each InstanceNorm that runs in the block; the last run counts."""
    statistics: NormStatistics = {}

    def note(norm: nn.Module, args: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.InstanceNorm2d)
        variance, mean = torch.var_mean(args[0], dim=(0, 2, 3), correction=0)
        statistics[norm] = mean, variance

    norms = [module for module in network.modules() if isinstance(module, nn.InstanceNorm2d)]
    hooks = [norm.register_forward_pre_hook(note) for norm in norms]
    try:
        yield statistics
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def frozen(statistics: NormStatistics) -> Iterator[None]:
    """Let the layers, in eval mode, normalise with these statistics inside the block, and remove them afterwards."""
    for norm, (mean, variance) in statistics.items():
        norm.running_mean, norm.running_var = mean, variance
        norm.track_running_stats = True
    try:
        yield
    finally:
        for norm in statistics:
            norm.running_mean = norm.running_var = None
            norm.track_running_stats = False
