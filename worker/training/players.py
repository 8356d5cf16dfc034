"""Players: networks with an optimiser and a projection; and the average that is served."""

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

import torch
from torch import Tensor, nn

from models import distributed
from models.duel import Losses
from models.spec import training as spec


@dataclass
class Player:
    """A network and its optimiser. `clip` cuts every weight to [-clip, clip] after each move (Arjovsky et al. 2017)."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: float
    clip: float | None = None
    dial: Tensor | None = None
    """holds the learning rate where a captured step shall read it anew each time"""
    remembers: bool = False
    """whether `before` is kept: the weights before the newest update"""
    before: list[Tensor] = field(default_factory=list)

    def slow(self, factor: float) -> None:
        """From now on move at `factor` times the learning rate."""
        rate = self.rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate if self.dial is None else self.dial.fill_(rate)
            if "capturable" in group:
                group["capturable"] = self.dial is not None

    def backward(self, losses: Losses) -> Losses:
        """Compute the gradients of the sum of the losses, and return the losses; on several ranks both are means."""
        self.optimizer.zero_grad(set_to_none=True)
        each = torch.stack([loss.float() for loss in losses.values()])
        each.sum().backward()  # type: ignore[no-untyped-call]
        settled = each.detach()  # a loss that kept its graph would tie the next step's slopes to this one's stream
        if distributed.world_size() > 1:
            slopes = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
            distributed.all_reduce_mean([settled, *slopes])
        return dict(zip(losses, settled.unbind(), strict=True))

    def update(self) -> None:
        """Update the weights by their gradients."""
        if self.remembers:
            self.before = [weight.detach().clone() for weight in self.network.parameters()]
        self.optimizer.step()
        if self.clip is not None:
            with torch.no_grad():
                torch._foreach_clamp_min_(list(self.network.parameters()), -self.clip)
                torch._foreach_clamp_max_(list(self.network.parameters()), self.clip)


def layout(network: nn.Module) -> torch.memory_format:
    """How a network's weights lie in memory: the same sums in another order, and convolutions are quickest.

    Channels last saves up to a sixth; but InstanceNorm copies such a picture, and copies it back, at every layer.
    """
    copies = any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())
    return torch.contiguous_format if copies else torch.channels_last


def optimizer(of: spec.OptimizerSpec, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    match of:
        case spec.Adam():
            return torch.optim.Adam(weights, lr=of.rate, betas=(of.beta1, of.beta2), fused=True)
        case spec.RmsProp():
            return torch.optim.RMSprop(weights, lr=of.rate)
        case spec.Sgd():
            return torch.optim.SGD(weights, lr=of.rate, momentum=of.momentum)
        case _:
            assert_never(of)


def in_order(optimizer: torch.optim.Optimizer) -> None:
    """Moments in the order of memory of their weights.

    Fused Adam pairs the two by place, and a loaded state keeps the order in which it was saved, which was another once.
    """
    for weights, state in optimizer.state.items():
        for name, moment in state.items():
            if isinstance(moment, Tensor) and moment.shape == weights.shape:
                state[name] = torch.empty_like(weights, requires_grad=False).copy_(moment)


def rate_factor(schedule: spec.ScheduleSpec, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at `step` of `steps`."""
    done = step / steps
    match schedule:
        case spec.Constant():
            return 1.0
        case spec.Linear():
            return min(1.0, (1 - done) / (1 - schedule.flat))
        case spec.Cosine():
            return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * done)) / 2
        case _:
            assert_never(schedule)


class Average:
    """Exponential moving average of a network's weights and running statistics; see models.spec.training.Ema."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self._pairs = _floating(self.network), _floating(network)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._pairs[0], self._pairs[1], 1 - decay)


def _floating(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]
