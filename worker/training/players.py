"""Players: networks with an optimiser and a weight clip; and the moving average that is served."""

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
    """A network and its optimiser. `clip`: each update clips every weight to [-clip, clip] (Arjovsky et al. 2017)."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rate: float
    clip: float | None = None
    rate_tensor: Tensor | None = None
    """[], the learning rate as a tensor, which a captured step reads at each replay; None: a plain number is used"""
    keeps_previous: bool = False
    """whether `update` stores the old weights in `previous`"""
    previous: list[Tensor] = field(default_factory=list)
    """the weights before the latest update"""

    def scale_rate(self, factor: float) -> None:
        """Set the learning rate of the updates to come to `factor` times the recipe's."""
        rate = self.rate * factor
        for group in self.optimizer.param_groups:
            group["lr"] = rate if self.rate_tensor is None else self.rate_tensor.fill_(rate)
            if "capturable" in group:
                group["capturable"] = self.rate_tensor is not None

    def backward(self, losses: Losses) -> Losses:
        """Compute the gradients of the sum of the losses, and return the losses; average both over all ranks."""
        self.optimizer.zero_grad(set_to_none=True)
        stacked = torch.stack([loss.float() for loss in losses.values()])
        stacked.sum().backward()  # type: ignore[no-untyped-call]
        # Losses that keep their graph would tie the next step's gradients to this step's CUDA stream.
        detached = stacked.detach()
        if distributed.world_size() > 1:
            gradients = [weight.grad for weight in self.network.parameters() if weight.grad is not None]
            distributed.all_reduce_mean([detached, *gradients])
        return dict(zip(losses, detached.unbind(), strict=True))

    def update(self) -> None:
        """Update the weights by their gradients, then clip them if the recipe says so."""
        if self.keeps_previous:
            self.previous = [weight.detach().clone() for weight in self.network.parameters()]
        self.optimizer.step()
        if self.clip is not None:
            with torch.no_grad():
                torch._foreach_clamp_min_(list(self.network.parameters()), -self.clip)
                torch._foreach_clamp_max_(list(self.network.parameters()), self.clip)


def memory_format_of(network: nn.Module) -> torch.memory_format:
    """Return the memory format in which the network's convolutions run fastest.

    Channels last saves up to a sixth of the time. But InstanceNorm copies channels-last pictures, there and back, at
    every layer.
    """
    copies = any(isinstance(module, nn.InstanceNorm2d) for module in network.modules())
    return torch.contiguous_format if copies else torch.channels_last


def build_optimizer(settings: spec.OptimizerSpec, weights: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    match settings:
        case spec.Adam():
            betas = settings.beta1, settings.beta2
            return torch.optim.Adam(weights, lr=settings.rate, betas=betas, fused=True)
        case spec.RmsProp():
            return torch.optim.RMSprop(weights, lr=settings.rate)
        case spec.Sgd():
            return torch.optim.SGD(weights, lr=settings.rate, momentum=settings.momentum)
        case _:
            assert_never(settings)


def match_memory_order(optimizer: torch.optim.Optimizer) -> None:
    """Give each optimiser moment the memory format of its weights.

    Fused Adam pairs the two by memory offset. A loaded state keeps the format in which it was saved, and older
    versions saved another one.
    """
    for weights, state in optimizer.state.items():
        for name, moment in state.items():
            if isinstance(moment, Tensor) and moment.shape == weights.shape:
                state[name] = torch.empty_like(weights, requires_grad=False).copy_(moment)


def rate_factor(schedule: spec.ScheduleSpec, step: int, steps: int) -> float:
    """Return the factor of the learning rate at `step` of `steps`, in [0, 1]."""
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
    """The exponential moving average of a network's weights and running statistics; see models.spec.training.Ema."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay
        self._pairs = _floating(self.network), _floating(network)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the network as it is after `step`; early steps use a smaller decay."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._pairs[0], self._pairs[1], 1 - decay)


def _floating(network: nn.Module) -> list[Tensor]:
    return [tensor for tensor in network.state_dict(keep_vars=True).values() if tensor.is_floating_point()]
