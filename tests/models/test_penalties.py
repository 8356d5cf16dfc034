"""Penalties against critics whose gradient is known."""

import math

import pytest
import torch
from torch import Tensor, nn

from models.build import build
from models.duel import Duel, Origin, PlayerName, Scores, Verdict
from models.penalties import Auxiliary, GradientPenalty, build_penalty
from models.rng import Stream
from models.spec.penalties import R1, R2, FeatureMatching, HistoricalAveraging, JacobianClamping, ModeRegulariser
from models.spec.resolve import resolve

RNG = Stream(3)
REAL = torch.randn(6, 1, 4, 4, generator=RNG, dtype=torch.float64)
FAKE = torch.randn(6, 1, 4, 4, generator=RNG, dtype=torch.float64)
WEIGHT = torch.randn(1, 4, 4, generator=RNG, dtype=torch.float64)


def linear(x: Tensor) -> Verdict:
    return Verdict((x * WEIGHT).flatten(1).sum(1))


def quadratic(x: Tensor) -> Verdict:
    return Verdict(x.flatten(1).square().sum(1) / 2)


def judge(duel: Duel) -> Scores:
    return Scores(duel.critic(duel.real), duel.critic(duel.fake))


def test_gradient_penalty_of_a_linear_critic_is_its_norm_minus_one_squared() -> None:
    duel = Duel(linear, REAL, FAKE)
    value = GradientPenalty({"critic": 10.0})("critic", duel, judge(duel), Stream(0))
    torch.testing.assert_close(value, 10 * (WEIGHT.norm() - 1) ** 2)


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    """The gradient of |x|^2 / 2 is x itself, so the value shows where it was taken."""
    duel = Duel(quadratic, REAL, FAKE)
    share = torch.rand(6, generator=torch.Generator().manual_seed(9)).view(-1, 1, 1, 1)
    between = torch.lerp(REAL, FAKE, share.double())
    value = GradientPenalty({"critic": 1.0}).measure("critic", duel, judge(duel), Stream(9))
    torch.testing.assert_close(value, (between.flatten(1).norm(dim=1) - 1).square().mean())


@pytest.mark.slow
def test_gradient_penalty_in_bf16_has_nearly_the_gradient_of_fp32() -> None:
    critic = build(resolve("wgan_gp", dataset="digits", seed=1)[1]).critic
    assert critic is not None
    real, fake = (torch.rand(16, 1, 32, 32, generator=torch.Generator().manual_seed(n)) * 2 - 1 for n in (1, 2))
    penalty, weights = GradientPenalty({"critic": 10.0}), list(critic.parameters())
    optimizer = torch.optim.Adam(weights, 1e-3, (0.5, 0.9))

    def loss_and_gradient(bf16: bool, step: int) -> tuple[Tensor, Tensor]:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = penalty("critic", duel, judge(duel), Stream(step))
        gradients = torch.autograd.grad(value, weights, materialize_grads=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        return value.detach(), torch.cat([gradient.flatten() for gradient in gradients])

    duel = Duel(critic, real, fake)
    for step in range(12):
        (value_bf16, gradient_bf16), (value_fp32, gradient_fp32) = (
            loss_and_gradient(True, step),
            loss_and_gradient(False, step),
        )
        torch.testing.assert_close(value_bf16, value_fp32, rtol=0.05, atol=1e-3)
        assert torch.cosine_similarity(gradient_bf16, gradient_fp32, dim=0) > 0.98
        optimizer.step()


def test_r1_is_half_the_squared_gradient_at_reals_and_weighs_more_if_lazy() -> None:
    duel = Duel(quadratic, REAL.clone().requires_grad_(), FAKE)
    lazy = build_penalty(R1(weight=2, every=8), {})
    value = lazy("critic", duel, judge(duel), Stream(0))
    torch.testing.assert_close(value, 2 * 8 * REAL.flatten(1).square().sum(1).mean() / 2)
    assert [lazy.due("critic", step) for step in (0, 1, 7, 8)] == [True, False, False, True]
    assert not lazy.due("generator", 0)


def test_r1_can_be_differentiated_again() -> None:
    weight = WEIGHT.clone().requires_grad_()
    duel = Duel(lambda x: Verdict((x * weight).flatten(1).sum(1)), REAL.clone().requires_grad_(), FAKE)
    value = build_penalty(R1(weight=1), {})("critic", duel, judge(duel), Stream(0))
    (gradient,) = torch.autograd.grad(value, weight)
    torch.testing.assert_close(gradient, WEIGHT)


def test_auxiliary_classifies_reals_for_the_critic_and_fakes_for_the_generator() -> None:
    sure, unsure = torch.eye(3) * 50, torch.zeros(3, 3)
    duel = Duel(linear, REAL[:3], FAKE[:3], label=torch.arange(3))
    both = Scores(Verdict(torch.zeros(3), sure), Verdict(torch.zeros(3), unsure))
    fake_only = Scores(None, Verdict(torch.zeros(3), unsure))
    auxiliary = Auxiliary({"critic": 1.0, "generator": 0.2})
    assert auxiliary("critic", duel, both, Stream(0)).item() < 1e-6
    for scores in (fake_only, both):  # also if the objective needs the scores of the reals
        value = auxiliary("generator", duel, scores, Stream(0)).item()
        assert math.isclose(value, 0.2 * math.log(3), rel_tol=1e-5)


def test_r2_is_half_the_squared_gradient_at_fakes() -> None:
    duel = Duel(quadratic, REAL, FAKE.clone().requires_grad_())
    value = build_penalty(R2(weight=3), {})("critic", duel, judge(duel), Stream(0))
    torch.testing.assert_close(value, 3 * FAKE.flatten(1).square().sum(1).mean() / 2)


def test_feature_matching_compares_means_not_examples() -> None:
    def critic(x: Tensor) -> Verdict:
        return Verdict(x.flatten(1).sum(1), features=x.flatten(1))

    penalty = build_penalty(FeatureMatching(weight=2), {})
    assert penalty.needs_real
    duel = Duel(critic, REAL, FAKE)
    value = penalty("generator", duel, judge(duel), Stream(0))
    torch.testing.assert_close(value, 2 * (REAL.mean(0) - FAKE.mean(0)).square().mean())
    shuffled = Duel(critic, REAL, REAL.flip(0))
    assert penalty("generator", shuffled, judge(shuffled), Stream(0)).item() < 1e-20


def test_historical_averaging_is_the_distance_from_the_mean_of_all_steps() -> None:
    player = nn.Linear(2, 1, bias=False)
    players: dict[PlayerName, nn.Module] = {"generator": player}
    penalty = build_penalty(HistoricalAveraging(weight=1), players)
    weights = [player.weight.detach().clone()]
    duel = Duel(linear, REAL, FAKE)
    for _ in range(3):
        with torch.no_grad():
            player.weight.add_(1.0)
        penalty.update_state()
        weights.append(player.weight.detach().clone())
    value = penalty("generator", duel, judge(duel), Stream(0))
    torch.testing.assert_close(value, (player.weight - torch.stack(weights).mean(0)).square().sum())
    (gradient,) = torch.autograd.grad(value, player.weight)
    torch.testing.assert_close(gradient, torch.full((1, 2), 3.0))
    assert set(penalty.state_dict()) == {"steps", "generator"}


def test_jacobian_clamping_penalises_stretches_outside_its_bounds() -> None:
    latent = torch.randn(8, 5, generator=torch.Generator().manual_seed(1))
    for stretch, expected in ((0.25, (1 - 0.25) ** 2), (4.0, 0.0), (23.0, 9.0)):
        origin = Origin(latent, lambda z, by=stretch: by * z)  # type: ignore[misc]
        duel = Duel(linear, REAL, stretch * latent, origin=origin)
        penalty = build_penalty(JacobianClamping(weight=1, least=1, most=20, step=0.5), {})
        scores = Scores(None, Verdict(torch.zeros(8)))
        value = penalty("generator", duel, scores, Stream(2))
        torch.testing.assert_close(value, torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_mode_regulariser_adds_reconstruction_error_and_score_of_encoded_reals() -> None:
    halving = Origin(torch.zeros(6, 16), lambda z: z.view(-1, 1, 4, 4), lambda x: 0.5 * x.flatten(1))
    duel = Duel(lambda x: Verdict(linear(x.double()).score), REAL, FAKE, origin=halving)
    penalty = build_penalty(ModeRegulariser(distance=2, score=3), {})
    value = penalty("generator", duel, Scores(None, judge(duel).fake), Stream(0))
    missed = (1 + (-linear(REAL / 2).score).exp()).log().mean()
    expected = 2 * (REAL / 2).square().mean() + 3 * missed
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-5)
