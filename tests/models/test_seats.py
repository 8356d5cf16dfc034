"""The seats of coming families, tried with the protocols as they are: docs/decisions/0001-seats.md."""

import torch
from torch import Tensor, nn
from torch.func import functional_call

from models.duel import Duel, Scores, Verdict
from models.games import Batch, Synthesis
from models.objectives import NonSaturating, Objective
from models.penalties import Penalty
from models.rng import Rng
from models.spec.training import Latent


class Line(nn.Module):
    """A generator or critic of two weights, in float64 so that finite differences can be trusted."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, generator=torch.Generator().manual_seed(seed)).double())

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return (x.double() * self.weight).tanh()


class LineCritic(Line):
    def forward(self, x: Tensor, label: Tensor | None = None) -> Verdict:  # type: ignore[override]
        return Verdict(super().forward(x).sum(1))


def game_of(generator: nn.Module, critic: nn.Module) -> Synthesis:
    return Synthesis(generator, critic, Latent(size=2), conditional=False)


BATCH = Batch(torch.randn(8, 2, generator=torch.Generator().manual_seed(1)).double())
OBJECTIVE = NonSaturating(0.0)


def unrolled_loss(generator: Line, critic: LineCritic, moves: int = 2, rate: float = 0.5) -> Tensor:
    """The generator's loss against the critic after `moves` differentiable moves."""
    game, rng = game_of(generator, critic), Rng(0)
    draw = game.draw(BATCH, rng, 0)
    weights: dict[str, Tensor] = dict(critic.named_parameters())
    for _ in range(moves):
        now = weights
        game.players["critic"] = lambda x, label, now=now: functional_call(critic, now, (x, label))  # type: ignore[assignment]
        (duel,), _ = game.generator_duels(draw, rng)
        loss = OBJECTIVE.critic(Scores(duel.critic(duel.real), duel.critic(duel.fake)))
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        weights = {name: value - rate * slope for (name, value), slope in zip(weights.items(), slopes, strict=True)}
    game.players["critic"] = lambda x, label: functional_call(critic, weights, (x, label))  # type: ignore[assignment]
    (duel,), _ = game.generator_duels(draw, rng)
    return OBJECTIVE.generator(Scores(None, duel.critic(duel.fake)))


def test_unrolled_gradient_runs_through_the_critics_moves() -> None:
    generator, critic = Line(2), LineCritic(3)
    (slope,) = torch.autograd.grad(unrolled_loss(generator, critic), generator.weight)
    for i in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[i] = 1e-6
        with torch.no_grad():
            generator.weight.add_(step)
        above = unrolled_loss(generator, critic).item()
        with torch.no_grad():
            generator.weight.sub_(2 * step)
        below = unrolled_loss(generator, critic).item()
        with torch.no_grad():
            generator.weight.add_(step)
        torch.testing.assert_close(slope[i].item(), (above - below) / 2e-6, rtol=1e-5, atol=1e-8)


class Began(Objective):
    """Berthelot et al. 2017: the score is a reconstruction error, and k balances the two sides."""

    balance: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("balance", torch.zeros(()))

    def critic(self, scores: Scores) -> Tensor:
        return scores.real_score.mean() - self.balance * scores.fake.score.mean()

    def generator(self, scores: Scores) -> Tensor:
        return scores.fake.score.mean()

    @torch.no_grad()
    def settle(self, scores: Scores) -> None:
        gap = 0.5 * scores.real_score.mean() - scores.fake.score.mean()
        self.balance.add_(0.01 * gap).clamp_(0, 1)


def test_began_balance_moves_and_is_saved() -> None:
    objective = Began()
    scores = Scores(Verdict(torch.full((4,), 3.0)), Verdict(torch.full((4,), 0.5)))
    objective.settle(scores)
    assert objective.balance.item() == torch.tensor(0.01).item()
    restored = Began()
    restored.load_state_dict(objective.state_dict())
    assert torch.equal(restored.critic(scores), objective.critic(scores))


class JacobianClamp(Penalty):
    """Odena et al. 2018: how far the picture moves for a small move of the latent, held in a band."""

    name = "jacobian"

    def measure(self, duel: Duel, scores: Scores, rng: torch.Generator) -> Tensor:
        assert duel.origin is not None
        latent = duel.origin.latent
        nudge = torch.randn(latent.shape, generator=rng).to(latent)
        nudge = nudge / nudge.norm(dim=1, keepdim=True)
        moved = duel.origin.generate(latent + nudge) - duel.origin.generate(latent)
        stretch: Tensor = moved.flatten(1).norm(dim=1)
        return ((stretch - 20).clamp(min=0).square() + (stretch - 1).clamp(max=0).square()).mean()


class Stretch(nn.Module):
    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return z * 0.25


def test_jacobian_clamping_reaches_latents_and_generator() -> None:
    game, rng = game_of(Stretch(), LineCritic(3)), Rng(0)
    duels, _ = game.generator_duels(game.draw(BATCH, rng, 0), rng)
    penalty = JacobianClamp({"generator": 1.0})
    fake_only = Scores(None, Verdict(torch.zeros(8)))
    value = penalty("generator", duels[0], fake_only, rng.stream("penalty/jacobian"))
    torch.testing.assert_close(value, torch.tensor((0.25 - 1) ** 2))
