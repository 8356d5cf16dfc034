"""Every objective against its closed form, value and gradient, written here a second time with exp and log."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.duel import Scores, Verdict
from models.objectives import build_objective
from models.spec.objectives import Hinge, LeastSquares, Minimax, NonSaturating, ObjectiveSpec, Wasserstein

R = torch.tensor([-2.0, -0.3, 0.4, 1.7], dtype=torch.float64)
F = torch.tensor([-1.5, 0.2, 0.9, 2.5], dtype=torch.float64)


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + (-x).exp())


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
]


@pytest.mark.parametrize(("spec", "critic", "generator"), CASES, ids=lambda value: getattr(value, "kind", None))
def test_value_and_gradient_equal_the_closed_form(spec: ObjectiveSpec, critic: Form, generator: Form) -> None:
    objective = build_objective(spec)
    for ours, form in ((objective.critic, critic), (objective.generator, generator)):
        r, f = R.clone().requires_grad_(), F.clone().requires_grad_()
        expected = form(r, f)
        wanted = torch.autograd.grad(expected, (r, f), allow_unused=True, materialize_grads=True)
        r2, f2 = R.clone().requires_grad_(), F.clone().requires_grad_()
        value = ours(Scores(Verdict(r2), Verdict(f2)))
        got = torch.autograd.grad(value, (r2, f2), allow_unused=True, materialize_grads=True)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(got, wanted)


def test_equilibrium_of_the_minimax_critic_is_two_ln_two() -> None:
    """A critic that cannot tell (score 0) pays ln 2 for each side: the lectures' landmark."""
    silent = Verdict(torch.zeros(5, dtype=torch.float64))
    value = build_objective(Minimax()).critic(Scores(silent, silent))
    assert value.item() == pytest.approx(2 * math.log(2))


def test_scores_far_out_stay_finite() -> None:
    far = Verdict(torch.tensor([-1e4, 1e4]))
    for spec in (Minimax(), NonSaturating()):
        objective = build_objective(spec)
        scores = Scores(far, far)
        assert objective.critic(scores).isfinite()
        assert objective.generator(scores).isfinite()


def test_the_real_batch_is_not_judged_behind_ones_back() -> None:
    with pytest.raises(ValueError, match="compares = True"):
        build_objective(Hinge()).critic(Scores(None, Verdict(F)))
