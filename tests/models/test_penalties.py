"""Penalties against critics whose slope is known."""

import math

import torch
from torch import Tensor

from models.duel import Duel, Scores, Verdict
from models.penalties import Auxiliary, GradientPenalty, build_penalty
from models.spec.penalties import R1

RNG = torch.Generator().manual_seed(3)
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
    value = GradientPenalty({"critic": 10.0})("critic", duel, judge(duel), torch.Generator())
    torch.testing.assert_close(value, 10 * (WEIGHT.norm() - 1) ** 2)


def test_gradient_penalty_looks_between_real_and_fake() -> None:
    """The slope of |x|^2 / 2 is x itself, so the value tells where it was taken."""
    duel = Duel(quadratic, REAL, FAKE)
    share = torch.rand(6, generator=torch.Generator().manual_seed(9)).view(-1, 1, 1, 1)
    between = torch.lerp(REAL, FAKE, share.double())
    value = GradientPenalty({"critic": 1.0}).measure(duel, judge(duel), torch.Generator().manual_seed(9))
    torch.testing.assert_close(value, (between.flatten(1).norm(dim=1) - 1).square().mean())


def test_r1_is_half_the_squared_slope_at_real_pictures_and_lazy_weighs_more() -> None:
    duel = Duel(quadratic, REAL.clone().requires_grad_(), FAKE)
    lazy = build_penalty(R1(weight=2, every=8))
    value = lazy("critic", duel, judge(duel), torch.Generator())
    torch.testing.assert_close(value, 2 * 8 * REAL.flatten(1).square().sum(1).mean() / 2)
    assert [lazy.due("critic", step) for step in (0, 1, 7, 8)] == [True, False, False, True]
    assert not lazy.due("generator", 0)


def test_r1_can_be_differentiated_again() -> None:
    weight = WEIGHT.clone().requires_grad_()
    duel = Duel(lambda x: Verdict((x * weight).flatten(1).sum(1)), REAL.clone().requires_grad_(), FAKE)
    value = build_penalty(R1(weight=1))("critic", duel, judge(duel), torch.Generator())
    (slope,) = torch.autograd.grad(value, weight)
    torch.testing.assert_close(slope, WEIGHT)


def test_auxiliary_names_the_class_of_reals_for_the_critic_and_of_fakes_for_the_generator() -> None:
    sure, unsure = torch.eye(3) * 50, torch.zeros(3, 3)
    duel = Duel(linear, REAL[:3], FAKE[:3], label=torch.arange(3))
    both = Scores(Verdict(torch.zeros(3), sure), Verdict(torch.zeros(3), unsure))
    fake_only = Scores(None, Verdict(torch.zeros(3), unsure))
    auxiliary = Auxiliary({"critic": 1.0, "generator": 0.2})
    assert auxiliary("critic", duel, both, torch.Generator()).item() < 1e-6
    value = auxiliary("generator", duel, fake_only, torch.Generator()).item()
    assert math.isclose(value, 0.2 * math.log(3), rel_tol=1e-5)
