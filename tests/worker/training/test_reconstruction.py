"""The game in which nobody judges: its terms against their closed forms, and what its families learn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl_divergence

from models import checkpoint
from models.export import export_checkpoint, load_export
from models.games.reconstruction import kl_divergence, reconstruction_loss
from models.latent import draw_latent
from models.nets.autoencoder import DcganAutoencoder, MlpAutoencoder
from models.rng import Rng
from models.spec.nets import DcganAutoencoder as DcganAutoencoderSpec
from models.spec.nets import MlpAutoencoder as MlpAutoencoderSpec
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, resolve
from models.spec.training import Budget
from tests.worker.training.test_exactness import small
from tests.worker.training.test_exactness import trainer as on_threads
from worker.training.trainer import Trainer


def trainer(recipe: Recipe) -> Trainer:
    return on_threads(recipe, 1)


@pytest.mark.slow
def test_the_linear_autoencoder_finds_the_subspace_of_principal_components() -> None:
    recipe = resolve("linear_autoencoder", budget={"steps": 2000}, overrides={"data": {"side": 8}})[1]
    one = trainer(recipe)
    for _ in range(recipe.budget.steps):
        one.advance()
    principal = PCA(recipe.latent.size).fit(one.batches.real.flatten(1).numpy()).components_.T
    decoder = one.average.network.get_parameter("decoder.0.weight").double().numpy()
    assert decoder.shape == principal.shape
    assert np.degrees(subspace_angles(decoder, principal)).max() < 1


def test_divergence_is_that_of_two_normals() -> None:
    mean, log_variance = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    expected = torch_kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("squared", 64 * 0.25),
        ("absolute", 64 * 0.5),
        # a white pixel was given the probability (.5 + 1) / 2
        ("cross_entropy", -64 * np.log(0.75)),
    ],
)
def test_differences_are_summed_over_a_picture_and_averaged_over_the_batch(loss: str, expected: float) -> None:
    made, real = torch.full((3, 1, 8, 8), 0.5), torch.ones(3, 1, 8, 8)
    assert reconstruction_loss(loss, made, real).item() == pytest.approx(expected)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("side", [8, 15, 28])
def test_what_is_decoded_has_the_shape_of_what_was_encoded(side: int, gaussian: bool) -> None:
    pictures = torch.zeros(2, 3, side, side)
    for network in (
        DcganAutoencoder(DcganAutoencoderSpec(width=4), 5, side, 3, gaussian),
        MlpAutoencoder(MlpAutoencoderSpec(hidden=(7,)), 5, (3, side, side), gaussian),
    ):
        assert network.encode(pictures).shape == (2, 10 if gaussian else 5)
        assert network(torch.zeros(2, 5)).shape == pictures.shape


@pytest.mark.parametrize("family", ["vae", "beta_vae", "autoencoder"])
def test_errors_fall(family: str) -> None:
    recipe = small(family, data={"side": 8}, batch_size=32).model_copy(update={"budget": Budget(steps=60)})
    one = trainer(recipe)
    errors = [one.advance()["generator/reconstruction"].item() for _ in range(recipe.budget.steps)]
    assert np.mean(errors[-5:]) < 0.8 * errors[0]


def test_the_posterior_is_drawn_anew_at_each_step_and_again_when_it_is_repeated() -> None:
    one = trainer(small("vae"))
    game, batch = one.game, one.batches.batch(0)
    first, again, next_ = (
        game.generator_duels(game.sample(batch, Rng(0), number), Rng(0))[1]["reconstruction"].item()
        for number in (0, 0, 1)
    )
    assert first == again != next_


def test_a_vaes_export_draws_from_the_standard_normal(tmp_path: Path) -> None:
    recipe = small("vae")
    one = trainer(recipe)
    one.advance()
    saved = checkpoint.save(one.state_dict(), tmp_path, attempt=1)
    export_checkpoint(recipe, saved.path, tmp_path / "vae.safetensors")
    loaded = load_export(tmp_path / "vae.safetensors")
    z = draw_latent(recipe.latent, Rng(0).stream("test"), 3)
    drawn = loaded.networks["generator"](z)
    assert drawn.shape == (3, 1, 16, 16)
    torch.testing.assert_close(drawn, one.average.network(z))


def test_what_is_not_bounded_is_no_probability() -> None:
    entropy = {"game": {"loss": "cross_entropy"}}
    with pytest.raises(RecipeRefused, match=r"linear generator are not bounded.*game\.loss"):
        resolve("linear_autoencoder", overrides=entropy)
    with pytest.raises(RecipeRefused, match=r"Data of kind points are not bounded.*game\.loss"):
        resolve("vae", dataset="ring8", overrides=entropy)


def test_only_what_has_a_prior_can_draw() -> None:
    draws = {name: resolve(name)[1].generates for name in ("vae", "beta_vae", "autoencoder", "linear_autoencoder")}
    assert draws == {"vae": True, "beta_vae": True, "autoencoder": False, "linear_autoencoder": False}
