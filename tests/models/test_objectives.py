"""Every objective equals its closed form, in value and gradient; the closed forms are written here with exp and log."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.duel import Scores, Verdict
from models.objectives import build_objective
from models.spec.objectives import (
    Began,
    D2gan,
    Hinge,
    Kl,
    LeastSquares,
    MaximumLikelihood,
    Minimax,
    NonSaturating,
    ObjectiveSpec,
    Relativistic,
    ReverseKl,
    Wasserstein,
)

R = torch.tensor([-2.0, -0.3, 0.4, 1.7], dtype=torch.float64)
F = torch.tensor([-1.5, 0.2, 0.9, 2.5], dtype=torch.float64)


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


def positive(x: Tensor) -> Tensor:
    return (1 + x.exp()).log()


def cross_entropy(r: Tensor, f: Tensor, target: float) -> Tensor:
    real = -(target * sigmoid(r).log() + (1 - target) * (1 - sigmoid(r)).log())
    return real.mean() - (1 - sigmoid(f)).log().mean()


Form = Callable[[Tensor, Tensor], Tensor]
CASES: list[tuple[ObjectiveSpec, Form, Form]] = [
    (Minimax(), lambda r, f: cross_entropy(r, f, 1), lambda r, f: (1 - sigmoid(f)).log().mean()),
    (Minimax(smoothing=0.1), lambda r, f: cross_entropy(r, f, 0.9), lambda r, f: (1 - sigmoid(f)).log().mean()),
    (NonSaturating(), lambda r, f: cross_entropy(r, f, 1), lambda r, f: -sigmoid(f).log().mean()),
    (NonSaturating(smoothing=0.2), lambda r, f: cross_entropy(r, f, 0.8), lambda r, f: -sigmoid(f).log().mean()),
    (
        LeastSquares(),
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda r, f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    (
        LeastSquares(smoothing=0.1, scale=1),
        lambda r, f: ((r - 0.9) ** 2).mean() + (f**2).mean(),
        lambda r, f: ((f - 1) ** 2).mean(),
    ),
    (Wasserstein(), lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    (
        Hinge(),
        lambda r, f: (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(),
        lambda r, f: -f.mean(),
    ),
    (
        MaximumLikelihood(),
        lambda r, f: cross_entropy(r, f, 1),
        lambda r, f: -(sigmoid(f) / (1 - sigmoid(f))).mean(),
    ),
    (Kl(), lambda r, f: (f - 1).exp().mean() - r.mean(), lambda r, f: -(f - 1).exp().mean()),
    (ReverseKl(), lambda r, f: (-r).exp().mean() + (f - 1).mean(), lambda r, f: (1 - f).mean()),
    (
        Relativistic(),
        lambda r, f: -sigmoid(r - f).log().mean(),
        lambda r, f: -sigmoid(f - r).log().mean(),
    ),
    (Began(), lambda r, f: r.mean(), lambda r, f: f.mean()),
]


@pytest.mark.parametrize(("spec", "critic", "generator"), CASES, ids=lambda value: getattr(value, "kind", None))
def test_value_and_gradient_equal_the_closed_form(spec: ObjectiveSpec, critic: Form, generator: Form) -> None:
    objective = build_objective(spec)
    for loss, form in ((objective.critic_loss, critic), (objective.generator_loss, generator)):
        r, f = R.clone().requires_grad_(), F.clone().requires_grad_()
        expected = form(r, f)
        expected_gradients = torch.autograd.grad(expected, (r, f), allow_unused=True, materialize_grads=True)
        r2, f2 = R.clone().requires_grad_(), F.clone().requires_grad_()
        value = loss(Scores(Verdict(r2), Verdict(f2)))
        gradients = torch.autograd.grad(value, (r2, f2), allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(gradients, expected_gradients)


def test_d2gan_equals_equation_1_of_its_paper() -> None:
    """Nguyen et al. 2017, equation 1, with D = softplus of the first column and E of the second."""
    objective = build_objective(D2gan(alpha=0.2, beta=0.1))
    r, f = torch.stack([R, F], 1), torch.stack([F, R], 1)
    scores = Scores(Verdict(r), Verdict(f))
    d_real, e_real, d_fake, e_fake = (positive(column) for column in (r[:, 0], r[:, 1], f[:, 0], f[:, 1]))
    game = 0.2 * d_real.log().mean() - d_fake.mean() - e_real.mean() + 0.1 * e_fake.log().mean()
    torch.testing.assert_close(objective.critic_loss(scores), -game)
    torch.testing.assert_close(objective.generator_loss(scores), -d_fake.mean() + 0.1 * e_fake.log().mean())


DATA = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
DRAWN = torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)


@pytest.mark.parametrize(
    ("spec", "optimal", "divergence"),
    [
        (Kl(), 1 + (DATA / DRAWN).log(), (DATA * (DATA / DRAWN).log()).sum()),
        (ReverseKl(), (DATA / DRAWN).log(), (DRAWN * (DRAWN / DATA).log()).sum()),
    ],
    ids=["kl", "reverse_kl"],
)
def test_optimal_critic_of_three_symbols_measures_the_divergence(
    spec: ObjectiveSpec, optimal: Tensor, divergence: Tensor
) -> None:
    """Nowozin et al. 2016: expectations over three symbols, repeated in proportion to their probabilities."""
    r, f = (optimal.repeat_interleave((10 * weights).round().long()) for weights in (DATA, DRAWN))
    optimal_loss = build_objective(spec).critic_loss(Scores(Verdict(r), Verdict(f)))
    torch.testing.assert_close(-optimal_loss, divergence)
    for step in (-0.1, 0.1):
        loss_nearby = build_objective(spec).critic_loss(Scores(Verdict(r + step), Verdict(f + step)))
        assert loss_nearby > optimal_loss


def test_maximum_likelihood_has_the_gradient_of_the_likelihood_at_the_optimal_critic() -> None:
    """With exp(score) = p_data / p_g, the gradient by the parameters of p_g is that of -E_data[log p_g]."""
    logits = torch.tensor([0.1, -0.4, 0.8], dtype=torch.float64, requires_grad=True)
    p_g = logits.softmax(0)
    (expected,) = torch.autograd.grad(-(DATA * p_g.log()).sum(), logits)
    score = (DATA / p_g.detach()).log()
    # The cost of symbol x, weighted by how often it is drawn: sum over p_g(x) J(x), J held fixed.
    cost = torch.stack([build_objective(MaximumLikelihood()).generator_loss(Scores(None, Verdict(x))) for x in score])
    (gradient,) = torch.autograd.grad((logits.softmax(0) * cost.detach()).sum(), logits)
    torch.testing.assert_close(gradient, expected)


def test_began_updates_its_balance_within_bounds_and_measures_convergence() -> None:
    objective = build_objective(Began(diversity=0.5, pace=0.01))
    scores = Scores(Verdict(torch.full((4,), 3.0)), Verdict(torch.full((4,), 0.5)))
    objective.update_state(scores)  # gap .5 x 3 - .5 = 1
    assert {name: round(value.item(), 6) for name, value in objective.gauges().items()} == {
        "balance": 0.01,
        "convergence": 4.0,
    }
    assert objective.critic_loss(scores).item() == pytest.approx(3 - 0.01 * 0.5)
    restored = build_objective(Began(diversity=0.5, pace=0.01))
    restored.load_state_dict(objective.state_dict())
    assert torch.equal(restored.critic_loss(scores), objective.critic_loss(scores))
    for _ in range(300):
        objective.update_state(scores)
    assert objective.gauges()["balance"].item() == 1.0, "k stays within [0, 1]"


def test_equilibrium_of_the_minimax_critic_is_two_ln_two() -> None:
    """A critic that cannot tell real from fake (score 0) pays ln 2 on each side."""
    undecided = Verdict(torch.zeros(5, dtype=torch.float64))
    value = build_objective(Minimax()).critic_loss(Scores(undecided, undecided))
    assert value.item() == pytest.approx(2 * math.log(2))


def test_losses_of_extreme_scores_are_finite() -> None:
    extreme = Verdict(torch.tensor([-1e4, 1e4]))
    for spec in (Minimax(), NonSaturating(), Relativistic()):
        objective = build_objective(spec)
        scores = Scores(extreme, extreme)
        assert objective.critic_loss(scores).isfinite()
        assert objective.generator_loss(scores).isfinite()


def test_critic_loss_without_scores_of_reals_raises_an_error() -> None:
    with pytest.raises(ValueError, match="needs_real = True"):
        build_objective(Hinge()).critic_loss(Scores(None, Verdict(F)))
