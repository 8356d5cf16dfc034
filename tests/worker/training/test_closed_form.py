"""On a line everything is known: what a trained critic says against p_data / (p_data + p_g), and where points fall."""

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
STILL = Mixture(np.array([[0.5]]), np.array([1.5]))
"""what a generator that never learns draws from"""


class Still(nn.Module):
    """A generator without anything to learn: its first latent number, moved and widened."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        return 0.5 + 1.5 / 4 * z[:, :1] + 0 * self.weight  # the latent of `gan` on points has a deviation of 4


def trained(steps: int, still: bool = False, **overrides: object) -> Trainer:
    torch.set_num_threads(1)
    recipe: Recipe = resolve("gan", dataset="gaussian1d", seed=1, budget={"steps": steps}, overrides=overrides)[1]
    cpu = torch.device("cpu")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), cpu), cpu, "fp32")
    if still:
        trainer.game.players["generator"] = Still()
        trainer.generator.backward = lambda losses: losses  # type: ignore[method-assign]
    for _ in range(steps):
        trainer.advance()
    trainer.check()
    return trainer


def error(said: NDArray[np.float64], made: NDArray[np.float64]) -> float:
    """Mean absolute error of a critic's probabilities, over places where real and made points fall."""
    truth = DATA.density(X[:, None])
    weights = truth + made
    return float((weights * np.abs(said - truth / weights)).sum() / weights.sum())


@torch.no_grad()
def probability(trainer: Trainer) -> NDArray[np.float64]:
    assert trainer.critic is not None
    scores: Tensor = trainer.critic.network.eval()(torch.from_numpy(X).float()[:, None]).score
    return scores.sigmoid().double().numpy()


def test_a_critic_of_points_that_stay_is_the_closed_form() -> None:
    said, made = probability(trained(300, still=True)), STILL.density(X[:, None])
    assert error(said, made) < 0.03
    logits = np.log(said / (1 - said))
    wrong: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "knows nothing": lambda x: 0 * x,
        "takes one for the other": lambda x: -x,
        "is twice as sure": lambda x: 2 * x,
        "is half as sure": lambda x: x / 2,
    }
    for how, change in wrong.items():
        assert error(1 / (1 + np.exp(-change(logits))), made) > 0.06, how


@pytest.mark.slow
def test_scores_of_least_squares_are_the_closed_form_themselves() -> None:
    trainer = trained(300, still=True, objective={"kind": "least_squares"})
    assert trainer.critic is not None
    with torch.no_grad():
        scores = trainer.critic.network(torch.from_numpy(X).float()[:, None]).score.double().numpy()
    assert error(scores, STILL.density(X[:, None])) < 0.03


@pytest.mark.slow
def test_points_of_a_trained_generator_fall_as_the_true_ones() -> None:
    trainer = trained(300)
    z = 4 * torch.randn(20_000, 2, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        made = trainer.average.network.eval()(z)[:, 0].numpy()
    real = trainer.batches.real[:20_000, 0].numpy()
    assert np.abs(np.sort(made) - np.sort(real)).mean() < 0.15, "the distance that earth must be moved"
    assert error(probability(trainer), kernel_density(made[:5000], X)) < 0.05
