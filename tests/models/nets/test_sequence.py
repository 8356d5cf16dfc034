"""Players of strings: noise comes from the latent, served strings have whole symbols, soft symbols pass gradients."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.build import build_critic, build_generator
from models.latent import draw_latent
from models.nets.layers.common import set_training_progress
from models.nets.sequence import SequenceGenerator, gumbel, one_hot_argmax
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve


def recipe(**generator: object) -> Recipe:
    overrides = {"generator": {"width": 16, **generator}, "critic": {"width": 8}}
    return resolve("gumbel_gan", seed=2, overrides=overrides)[1]


def latents(whole_recipe: Recipe, n: int = 64) -> Tensor:
    return draw_latent(whole_recipe.latent, torch.Generator().manual_seed(1), n)


def test_gumbel_maps_normal_numbers_to_gumbel_numbers_in_order() -> None:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    expected = [-math.log(-math.log((1 + math.erf(value / math.sqrt(2))) / 2)) for value in x.tolist()]
    assert torch.allclose(gumbel(x).double(), torch.tensor(expected, dtype=torch.float64), atol=1e-5)
    drawn = gumbel(torch.randn(100_000, generator=torch.Generator().manual_seed(0)))
    assert drawn.mean().item() == pytest.approx(np.euler_gamma, abs=0.02)
    assert drawn.std().item() == pytest.approx(math.pi / math.sqrt(6), abs=0.02)
    assert gumbel(torch.tensor([-1e9, 1e9])).isfinite().all()


def test_gumbel_noise_chooses_symbols_with_their_softmax_probabilities() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0])
    noise = gumbel(torch.randn(50_000, 3, generator=torch.Generator().manual_seed(0)))
    shares = one_hot_argmax(logits + noise).mean(0)
    assert torch.allclose(shares, logits.softmax(0), atol=0.01)


@pytest.mark.parametrize("hard", [False, True])
def test_training_uses_soft_or_whole_symbols_and_both_pass_gradients(hard: bool) -> None:
    whole_recipe = recipe(hard=hard)
    generator = build_generator(whole_recipe).train()
    strings = generator(latents(whole_recipe))
    assert strings.shape == (64, 12, 4)
    assert torch.allclose(strings.sum(2), torch.ones(64, 12), atol=1e-5)
    is_whole = torch.isclose(strings.max(2).values, torch.ones(64, 12), atol=1e-5)
    assert is_whole.all() if hard else is_whole.float().mean() < 0.5
    (strings * torch.randn(4)).sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in generator.parameters())


def test_served_strings_are_whole_and_follow_from_their_latents() -> None:
    whole_recipe = recipe()
    generator = build_generator(whole_recipe).eval()
    z = latents(whole_recipe)
    strings = generator(z)
    assert set(strings.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(strings, generator(z))
    other = z.clone()
    other[:, -1] += 3  # the noise of the last symbol alone
    changed = (generator(other) != strings).any(dim=2).any(dim=0)
    assert changed.tolist() == [False] * 11 + [True]


def test_temperature_falls_linearly_and_symbols_become_harder() -> None:
    whole_recipe = recipe(hot=4, cold=0.5, hard=False)
    generator = build_generator(whole_recipe).train()
    assert isinstance(generator, SequenceGenerator)
    highest_values = []
    for progress, temperature in ((0.0, 4.0), (0.5, 2.25), (1.0, 0.5)):
        set_training_progress(generator, progress)
        assert generator.temperature == temperature
        highest_values.append(generator(latents(whole_recipe)).max(2).values.mean().item())
    assert highest_values == sorted(highest_values)
    assert highest_values[0] < highest_values[2] - 0.2


@pytest.mark.parametrize("bf16", [False, True])
def test_both_players_work_in_either_precision(bf16: bool) -> None:
    whole_recipe = recipe()
    generator, critic = build_generator(whole_recipe), build_critic(whole_recipe)
    assert isinstance(critic, nn.Module)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        verdict = critic(generator(latents(whole_recipe)))
    assert verdict.score.shape == (64,)
    assert verdict.features.shape == (64, 32)
    assert verdict.score.isfinite().all()


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"recipe": "gumbel_gan", "dataset": "digits"}, "no generator of kind sequence"),
        ({"recipe": "dcgan", "dataset": "dyck"}, "a generator of kind sequence"),
        ({"recipe": "gumbel_gan", "overrides": {"latent": {"size": 48}}}, "size more than 48"),
        ({"recipe": "gumbel_gan", "overrides": {"latent": {"kind": "uniform"}}}, "make the latent normal"),
        ({"recipe": "gumbel_gan", "overrides": {"generator": {"cold": 3}}}, "must not be above"),
        ({"recipe": "gumbel_gan", "overrides": {"data": {"length": 14}}}, "strings of 12 out of 4"),
    ],
)
def test_invalid_recipe_of_strings_is_refused(request_: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeRefused, match=message):
        resolve(**request_)  # type: ignore[arg-type]
