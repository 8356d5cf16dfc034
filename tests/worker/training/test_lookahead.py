"""The critic that the generator will find: after unrolled moves, and after its last move made again."""

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
        # The trainer shows fakes in fp32; here they keep their digits.
        return Verdict(super().forward(x).sum(1))


BATCH = Batch(torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).double())
OBJECTIVE = NonSaturating(0.0)


def game_of(generator: nn.Module, critic: nn.Module) -> Synthesis:
    return Synthesis(spec.Synthesis(), generator, critic, Latent(size=2))


def unrolled_loss(generator: Line, critic: LineCritic, moves: int) -> Tensor:
    """The generator's loss against the critic after so many differentiable moves."""
    game, rng = game_of(generator, critic), Rng(0)
    draw = game.sample(BATCH, rng, 0)
    with unrolled_critic(game, OBJECTIVE, draw, rng, moves, rate=0.5):
        (duel,), _ = game.generator_duels(draw, rng)
        return OBJECTIVE.generator_loss(Scores(None, duel.critic(duel.fake)))


def moved(generator: Line, by: Tensor) -> Line:
    other = copy.deepcopy(generator)
    with torch.no_grad():
        other.weight.add_(by)
    return other


def test_the_slope_runs_through_the_critics_moves() -> None:
    generator, critic = Line(2), LineCritic(3)
    (slope,) = torch.autograd.grad(unrolled_loss(generator, critic, 2), generator.weight)
    for i in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[i] = 1e-3  # the fakes pass through fp32 on their way: smaller steps drown
        above, below = (unrolled_loss(moved(generator, by), critic, 2).detach() for by in (step, -step))
        torch.testing.assert_close(slope[i], (above - below) / 2e-3, rtol=1e-3, atol=1e-5)


def test_unrolling_reaches_where_plain_gradient_moves_would_and_leaves_the_critic_alone() -> None:
    generator, critic = Line(2), LineCritic(3)
    game, rng = game_of(generator, critic), Rng(0)
    draw = game.sample(BATCH, rng, 0)
    before = critic.weight.detach().clone()
    twin = LineCritic(3)
    for _ in range(3):
        fake = draw.fake[""].detach().float()
        loss = OBJECTIVE.critic_loss(Scores(twin(BATCH.real), twin(fake)))
        (slope,) = torch.autograd.grad(loss, twin.weight)
        with torch.no_grad():
            twin.weight.sub_(0.5 * slope)
    with unrolled_critic(game, OBJECTIVE, draw, rng, 3, rate=0.5):
        foreseen = game.players["critic"](BATCH.real)
    torch.testing.assert_close(foreseen.score, twin(BATCH.real).score)
    assert torch.equal(critic.weight, before)
    assert game.players["critic"] is critic


def test_prediction_makes_the_last_move_again_and_takes_it_back() -> None:
    critic = LineCritic(3)
    before = [weight.detach().clone() for weight in critic.parameters()]
    with torch.no_grad():
        critic.weight.add_(torch.tensor([0.5, -1.0]))
    now = critic.weight.detach().clone()
    with predicted_critic(critic, before):
        assert torch.equal(critic.weight.detach(), now + torch.tensor([0.5, -1.0], dtype=torch.float64))
    assert torch.equal(critic.weight.detach(), now)
