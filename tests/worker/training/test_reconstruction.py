"""The reconstruction game, which has no critic: its terms against their closed forms, and its families."""

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
from models.spec.resolve import RecipeRefused, resolve
from models.spec.training import Budget
from tests.support.recipes import small_recipe
from tests.support.training import new_trainer


@pytest.mark.slow
def test_linear_autoencoder_learns_the_subspace_of_principal_components() -> None:
    recipe = resolve("linear_autoencoder", budget={"steps": 2000}, overrides={"data": {"side": 8}})[1]
    trainer = new_trainer(recipe)
    for _ in range(recipe.budget.steps):
        trainer.advance()
    principal = PCA(recipe.latent.size).fit(trainer.batches.real.flatten(1).numpy()).components_.T
    decoder = trainer.average.network.get_parameter("decoder.0.weight").double().numpy()
    assert decoder.shape == principal.shape
    assert np.degrees(subspace_angles(decoder, principal)).max() < 1


def test_kl_divergence_equals_that_of_torch_distributions() -> None:
    mean, log_variance = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    expected = torch_kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("squared", 64 * 0.25),
        ("absolute", 64 * 0.5),
        # the probability of white is (0.5 + 1) / 2
        ("cross_entropy", -64 * np.log(0.75)),
    ],
)
def test_reconstruction_loss_is_summed_over_pixels_and_averaged_over_the_batch(loss: str, expected: float) -> None:
    reconstructed, real = torch.full((3, 1, 8, 8), 0.5), torch.ones(3, 1, 8, 8)
    assert reconstruction_loss(loss, reconstructed, real).item() == pytest.approx(expected)


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("side", [8, 15, 28])
def test_autoencoder_output_has_the_shape_of_its_input(side: int, gaussian: bool) -> None:
    pictures = torch.zeros(2, 3, side, side)
    for network in (
        DcganAutoencoder(DcganAutoencoderSpec(width=4), 5, side, 3, gaussian),
        MlpAutoencoder(MlpAutoencoderSpec(hidden=(7,)), 5, (3, side, side), gaussian),
    ):
        assert network.encode(pictures).shape == (2, 10 if gaussian else 5)
        assert network(torch.zeros(2, 5)).shape == pictures.shape


@pytest.mark.parametrize("family", ["vae", "beta_vae", "autoencoder"])
def test_reconstruction_error_falls_during_training(family: str) -> None:
    recipe = small_recipe(family, data={"side": 8}, batch_size=32).model_copy(update={"budget": Budget(steps=60)})
    trainer = new_trainer(recipe)
    errors = [trainer.advance()["generator/reconstruction"].item() for _ in range(recipe.budget.steps)]
    assert np.mean(errors[-5:]) < 0.8 * errors[0]


def test_posterior_draw_changes_each_step_and_repeats_for_a_repeated_step() -> None:
    trainer = new_trainer(small_recipe("vae"))
    game, batch = trainer.game, trainer.batches.batch(0)
    first, again, next_ = (
        game.generator_duels(game.sample(batch, Rng(0), number), Rng(0))[1]["reconstruction"].item()
        for number in (0, 0, 1)
    )
    assert first == again != next_


def test_export_of_a_vae_is_the_decoder_for_standard_normal_noise(tmp_path: Path) -> None:
    recipe = small_recipe("vae")
    trainer = new_trainer(recipe)
    trainer.advance()
    saved = checkpoint.save(trainer.state_dict(), tmp_path, attempt=1)
    export_checkpoint(recipe, saved.path, tmp_path / "vae.safetensors")
    export = load_export(tmp_path / "vae.safetensors")
    z = draw_latent(recipe.latent, Rng(0).stream("test"), 3)
    generated = export.networks["generator"](z)
    assert generated.shape == (3, 1, 16, 16)
    torch.testing.assert_close(generated, trainer.average.network(z))


def test_cross_entropy_requires_bounded_outputs_and_bounded_data() -> None:
    entropy = {"game": {"loss": "cross_entropy"}}
    with pytest.raises(RecipeRefused, match=r"linear generator are not bounded.*game\.loss"):
        resolve("linear_autoencoder", overrides=entropy)
    with pytest.raises(RecipeRefused, match=r"Data of kind points are not bounded.*game\.loss"):
        resolve("vae", dataset="ring8", overrides=entropy)


def test_only_variational_autoencoders_can_generate() -> None:
    generates = {name: resolve(name)[1].generates for name in ("vae", "beta_vae", "autoencoder", "linear_autoencoder")}
    assert generates == {"vae": True, "beta_vae": True, "autoencoder": False, "linear_autoencoder": False}
