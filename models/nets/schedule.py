"""Networks that follow the budget: what fades in, switches over or cools down is a function of the step."""

from torch import nn


class Scheduled(nn.Module):
    """Computes according to `progress`, the share of the budget that is done: 0 at the start, 1 when served at the end.

    It follows from the step, so it is set from outside and never saved.
    """

    progress: float = 1.0


def proceed(network: nn.Module, progress: float) -> None:
    """Tell every scheduled module inside how far the training is."""
    for module in network.modules():
        if isinstance(module, Scheduled):
            module.progress = progress
