"""Presets without a critic: autoencoders, variational and plain."""

from typing import Any

from models.spec.data import DataSpec, Points
from models.spec.games import Reconstruction
from models.spec.nets import DcganAutoencoder, MlpAutoencoder
from models.spec.presets.common import Fields, is_small, synthesis
from models.spec.training import Adam, Budget, Ema, Latent, Linear


def vae(data: DataSpec) -> Fields:
    """Use 784-400-20-400-784, Adam 1e-3 and batches of 128, as in PyTorch's example; sizes follow the data."""
    return _variational(data, 1)


def beta_vae(data: DataSpec) -> Fields:
    return _variational(data, 4)


def autoencoder(data: DataSpec) -> Fields:
    if isinstance(data, Points):
        return _without_critic(latent=Latent(size=1), generator=MlpAutoencoder(hidden=(128, 128)))
    return _without_critic(
        latent=Latent(size=32),
        generator=DcganAutoencoder(width=32),
        schedule=Linear(flat=0.5),
        batch_size=64,
        budget=Budget(steps=1500 if is_small(data) else 4000),
    )


def linear_autoencoder(data: DataSpec) -> Fields:
    """Use rates that fall linearly to 0, since the last principal directions converge slowly.

    More pixels need a lower rate: at .04 some directions of MNIST were not learned at all.
    """
    small = isinstance(data, Points) or is_small(data)
    return _without_critic(
        latent=Latent(size=1 if isinstance(data, Points) else 10),
        generator=MlpAutoencoder(hidden=()),
        generator_optimizer=Adam(rate=0.04 if small else 0.006, beta1=0.9),
        schedule=Linear(flat=0),
        ema=Ema(decay=0.99 if small else 0.999),
        batch_size=256,
        budget=Budget(steps=4000 if small else 16_000),
    )


def _variational(data: DataSpec, divergence: float) -> Fields:
    if isinstance(data, Points):
        # Squared errors are weighed as normal noise of standard deviation .05, whose weight is 1 / (2 x .05^2).
        game = Reconstruction(loss="squared", divergence=divergence * 2 * 0.05**2)
        return _without_critic(game=game, latent=Latent(size=2), generator=MlpAutoencoder(hidden=(128, 128)))
    return _without_critic(
        game=Reconstruction(loss="cross_entropy", divergence=divergence),
        latent=Latent(size=20),
        generator=MlpAutoencoder(hidden=(400,)),
        budget=Budget(steps=2000 if is_small(data) else 4690),
    )


def _without_critic(**fields: Any) -> Fields:
    """Return the settings of an autoencoder without a critic, changed by `fields`."""
    return synthesis(
        **{
            "game": Reconstruction(),
            "critic": None,
            "objective": None,
            "critic_optimizer": None,
            "generator_optimizer": Adam(rate=1e-3, beta1=0.9),
            "batch_size": 128,
        }
        | fields
    )
