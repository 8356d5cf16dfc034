"""Lookahead: let the generator play against a prediction of the critic's later weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models import distributed
from models.duel import Scores
from models.games.game import Game, SampledBatch
from models.objectives import Objective
from models.rng import Rng


class UnrolledNetwork(nn.Module):
    """A network evaluated with given weights; gradients flow through the weights to what they were computed from."""

    def __init__(self, network: nn.Module, weights: dict[str, Tensor]) -> None:
        super().__init__()
        # In a tuple, so that the module does not register them as its own.
        self._network_and_weights = (network, weights)

    def forward(self, *args: Any) -> Any:
        return functional_call(*self._network_and_weights, args)


@contextmanager
def unrolled_critic(
    game: Game, objective: Objective, sampled: SampledBatch, rng: Rng, steps: int, rate: float
) -> Iterator[None]:
    """Replace the critic, inside the block, by the critic after `steps` gradient descent steps (Metz et al. 2017).

    The generator's gradient runs through these steps, since its fakes change what the critic becomes. The steps use
    the objective without penalties.
    """
    critic = game.players["critic"]
    weights: dict[str, Tensor] = {
        name: weight.detach().requires_grad_() for name, weight in critic.named_parameters()
    }  # fmt: skip
    try:
        for _ in range(steps):
            game.players["critic"] = UnrolledNetwork(critic, weights)
            duels, _extra = game.generator_duels(sampled, rng)
            losses = [
                objective.critic_loss(Scores(duel.critic(duel.real), duel.critic(duel.fake.float()))) for duel in duels
            ]
            gradients = torch.autograd.grad(
                torch.stack(losses).sum(),
                list(weights.values()),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,  # a progressive stage or a class head may take no part in the loss
            )
            weights = {
                name: old - rate * distributed.mean_over_ranks(gradient)
                for (name, old), gradient in zip(weights.items(), gradients, strict=True)
            }
        game.players["critic"] = UnrolledNetwork(critic, weights)
        yield
    finally:
        game.players["critic"] = critic


@contextmanager
def predicted_critic(network: nn.Module, previous: list[Tensor]) -> Iterator[None]:
    """Repeat the network's last update, from `previous` to its weights, inside the block (Yadav et al. 2018)."""
    weights = [weight.data for weight in network.parameters()]
    current = [weight.clone() for weight in weights]
    torch._foreach_add_(weights, torch._foreach_sub(current, previous))
    try:
        yield
    finally:
        torch._foreach_copy_(weights, current)
