"""Data on a line, where the best critic p_data / (p_data + p_g) is known, and where generated points should fall."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data.batches import Batches
from data.readers.builtin import load
from data.toy import MIXTURES, Mixture, kernel_density, line_through
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.trainer import Trainer

DATA = MIXTURES["gaussian1d"]
X = line_through(DATA)
FIXED = Mixture(np.array([[0.5]]), np.array([1.5]))
"""the distribution of the points of FixedGenerator"""


class FixedGenerator(nn.Module):
    """A generator that never learns: it shifts and scales the first latent number."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return 0.5 + 1.5 / 4 * z[:, :1] + 0 * self.weight  # the latent of `gan` on points has a deviation of 4


def trained(steps: int, fixed: bool = False, **overrides: object) -> Trainer:
    torch.set_num_threads(1)
    recipe: Recipe = resolve("gan", dataset="gaussian1d", seed=1, budget={"steps": steps}, overrides=overrides)[1]
    cpu = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), cpu), cpu, "fp32")
    if fixed:
        trainer.game.players["generator"] = FixedGenerator()
        trainer.generator.backward = lambda losses: losses  # type: ignore[method-assign]
    for _ in range(steps):
        trainer.advance()
    trainer.check_finite()
    return trainer


def mean_error(probabilities: NDArray[np.float64], generated: NDArray[np.float64]) -> float:
    """Return the mean absolute error of a critic's probabilities, weighted by the density of real and fake points."""
    real = DATA.density(X[:, None])
    weights = real + generated
    return float((weights * np.abs(probabilities - real / weights)).sum() / weights.sum())


@torch.no_grad()
def probability(trainer: Trainer) -> NDArray[np.float64]:
    assert trainer.critic is not None
    scores: Tensor = trainer.critic.network.eval()(torch.from_numpy(X).float()[:, None]).score
    return scores.sigmoid().double().numpy()


def test_critic_of_a_fixed_generator_learns_the_optimal_probabilities() -> None:
    probabilities, generated = probability(trained(300, fixed=True)), FIXED.density(X[:, None])
    assert mean_error(probabilities, generated) < 0.03
    logits = np.log(probabilities / (1 - probabilities))
    wrong: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "always undecided": lambda x: 0 * x,
        "real and fake exchanged": lambda x: -x,
        "twice as certain": lambda x: 2 * x,
        "half as certain": lambda x: x / 2,
    }
    for description, change in wrong.items():
        assert mean_error(1 / (1 + np.exp(-change(logits))), generated) > 0.06, description


@pytest.mark.slow
def test_least_squares_scores_are_the_optimal_probabilities() -> None:
    trainer = trained(300, fixed=True, objective={"kind": "least_squares"})
    assert trainer.critic is not None
    with torch.no_grad():
        scores = trainer.critic.network(torch.from_numpy(X).float()[:, None]).score.double().numpy()
    assert mean_error(scores, FIXED.density(X[:, None])) < 0.03


@pytest.mark.slow
def test_trained_generator_reproduces_the_distribution_of_the_data() -> None:
    trainer = trained(300)
    z = 4 * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        generated = trainer.average.network.eval()(z)[:, 0].numpy()
    real = trainer.batches.real[:20_000, 0].numpy()
    assert np.abs(np.sort(generated) - np.sort(real)).mean() < 0.15, "earth mover's distance"
    assert mean_error(probability(trainer), kernel_density(generated[:5000], X)) < 0.05
