"""Lookahead: the critic after unrolled updates, and the critic with its last update repeated."""

import copy

import torch
from torch import Tensor, nn

from models.duel import Scores, Verdict
from models.games.game import Batch
from models.games.synthesis import Synthesis
from models.objectives import NonSaturating
from models.rng import Rng
from models.spec import games as spec
from models.spec.training import Latent
from worker.training.lookahead import predicted_critic, unrolled_critic


class Line(nn.Module):
    """A generator or critic of two weights, in float64 so that finite differences can be trusted."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, generator=torch.Generator().manual_seed(seed)).double())

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return (x.double() * self.weight).tanh()


class LineCritic(Line):
    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:  # type: ignore[override]
        # The trainer passes fakes in fp32; here they keep their float64 digits.
        return Verdict(super().forward(x).sum(1))


BATCH = Batch(torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).double())
OBJECTIVE = NonSaturating(0.0)


def game_of(generator: nn.Module, critic: nn.Module) -> Synthesis:
    return Synthesis(spec.Synthesis(), generator, critic, Latent(size=2))


def unrolled_loss(generator: Line, critic: LineCritic, updates: int) -> Tensor:
    """Return the generator's loss against the critic after so many differentiable updates."""
    game, rng = game_of(generator, critic), Rng(0)
    draw = game.sample(BATCH, rng, 0)
    with unrolled_critic(game, OBJECTIVE, draw, rng, updates, rate=0.5):
        (duel,), _ = game.generator_duels(draw, rng)
        return OBJECTIVE.generator_loss(Scores(None, duel.critic(duel.fake)))


def with_changed_weights(generator: Line, change: Tensor) -> Line:
    other = copy.deepcopy(generator)
    with torch.no_grad():
        other.weight.add_(change)
    return other


def test_gradient_through_unrolled_updates_equals_finite_differences() -> None:
    generator, critic = Line(2), LineCritic(3)
    (gradient,) = torch.autograd.grad(unrolled_loss(generator, critic, 2), generator.weight)
    for i in range(2):
        change = torch.zeros(2, dtype=torch.float64)
        change[i] = 1e-3  # fakes pass through fp32 on their way: a smaller change would be lost in rounding
        above, below = (
            unrolled_loss(with_changed_weights(generator, difference), critic, 2).detach()
            for difference in (change, -change)
        )
        torch.testing.assert_close(gradient[i], (above - below) / 2e-3, rtol=1e-3, atol=1e-5)


def test_unrolled_critic_equals_plain_gradient_steps_and_leaves_the_real_one() -> None:
    generator, critic = Line(2), LineCritic(3)
    game, rng = game_of(generator, critic), Rng(0)
    draw = game.sample(BATCH, rng, 0)
    before = critic.weight.detach().clone()
    reference = LineCritic(3)
    for _ in range(3):
        fake = draw.fake[""].detach().float()
        loss = OBJECTIVE.critic_loss(Scores(reference(BATCH.real), reference(fake)))
        (gradient,) = torch.autograd.grad(loss, reference.weight)
        with torch.no_grad():
            reference.weight.sub_(0.5 * gradient)
    with unrolled_critic(game, OBJECTIVE, draw, rng, 3, rate=0.5):
        unrolled = game.players["critic"](BATCH.real)
    torch.testing.assert_close(unrolled.score, reference(BATCH.real).score)
    assert torch.equal(critic.weight, before)
    assert game.players["critic"] is critic


def test_predicted_critic_repeats_the_last_update_and_restores_it_afterwards() -> None:
    critic = LineCritic(3)
    before = [weight.detach().clone() for weight in critic.parameters()]
    with torch.no_grad():
        critic.weight.add_(torch.tensor([0.5, -1.0]))
    current = critic.weight.detach().clone()
    with predicted_critic(critic, before):
        assert torch.equal(critic.weight.detach(), current + torch.tensor([0.5, -1.0], dtype=torch.float64))
    assert torch.equal(critic.weight.detach(), current)
