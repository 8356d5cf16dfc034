"""Let the generator face the critic as it will be some moves later."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models import distributed
from models.duel import Scores
from models.games.game import Draw, Game
from models.objectives import Objective
from models.rng import Rng


class Foreseen(nn.Module):
    """A network under other weights, through which slopes reach what those weights came from."""

    def __init__(self, network: nn.Module, weights: dict[str, Tensor]) -> None:
        super().__init__()
        self._as_it_will_be = (network, weights)  # in a tuple: these are no weights of its own

    def forward(self, *args: Any) -> Any:
        return functional_call(*self._as_it_will_be, args)


@contextmanager
def unrolled(game: Game, objective: Objective, draw: Draw, rng: Rng, moves: int, rate: float) -> Iterator[None]:
    """In the critic's place stands the critic after so many plain gradient moves (Metz et al. 2017).

    The generator's slope runs through those moves: what it does now changes what the critic will be. Penalties are not
    part of them.
    """
    critic = game.players["critic"]
    weights: dict[str, Tensor] = {
        name: weight.detach().requires_grad_() for name, weight in critic.named_parameters()
    }  # fmt: skip
    try:
        for _ in range(moves):
            game.players["critic"] = Foreseen(critic, weights)
            duels, _own = game.generator_duels(draw, rng)
            losses = [
                objective.critic(Scores(duel.critic(duel.real), duel.critic(duel.fake.float()))) for duel in duels
            ]
            slopes = torch.autograd.grad(
                torch.stack(losses).sum(),
                list(weights.values()),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,  # a stage or a head may have no part in it
            )
            weights = {
                name: old - rate * distributed.mean_over_ranks(slope)
                for (name, old), slope in zip(weights.items(), slopes, strict=True)
            }
        game.players["critic"] = Foreseen(critic, weights)
        yield
    finally:
        game.players["critic"] = critic


@contextmanager
def predicted(network: nn.Module, before: list[Tensor]) -> Iterator[None]:
    """The network's last move, from the weights `before`, made once more and taken back (Yadav et al. 2018)."""
    weights = [weight.data for weight in network.parameters()]
    now = [weight.clone() for weight in weights]
    torch._foreach_add_(weights, torch._foreach_sub(now, before))
    try:
        yield
    finally:
        torch._foreach_copy_(weights, now)
