"""MLP and DCGAN players: where they use classes, name classes and expose features; and the autoencoder critic."""

import pytest
import torch
from torch import nn

from models.nets.critics import AutoencoderCritic
from models.nets.cyclegan import PatchCritic
from models.nets.dcgan import DcganCritic
from models.nets.layers.spectral import SpectralNorm
from models.nets.mlp import MlpCritic, MlpGenerator
from models.spec import nets

LABELS = torch.tensor([0, 1, 2])
X = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def test_mlp_players_get_the_class_beside_their_input() -> None:
    generator = MlpGenerator(nets.MlpGenerator(hidden=(7,)), 4, (1, 8, 8), 5)
    assert generator.layers[0].in_features == 9
    z = torch.zeros(3, 4)
    assert not torch.equal(generator(z, LABELS)[0], generator(z, LABELS)[1])
    with pytest.raises(ValueError, match="pass labels"):
        generator(z)
    critic = MlpCritic(nets.MlpCritic(hidden=(7,)), (1, 8, 8), 5)
    assert not torch.equal(critic(X, LABELS).score, critic(X, LABELS.flip(0)).score)
    unconditional = MlpCritic(nets.MlpCritic(hidden=(7,), conditioning="none"), (1, 8, 8), 5, names_classes=True)
    assert torch.equal(unconditional(X, LABELS).score, unconditional(X, LABELS.flip(0)).score)
    assert unconditional(X).classes.shape == (3, 5)


def test_dcgan_critic_uses_the_class_only_by_projection() -> None:
    for conditioning, equal_scores in (("projection", False), ("none", True)):
        spec = nets.DcganCritic(width=4, norm="none", conditioning=conditioning)
        critic = DcganCritic(spec, 8, 1, 5, names_classes=True)
        assert torch.equal(critic(X, LABELS).score, critic(X, LABELS.flip(0)).score) == equal_scores
        assert critic(X, LABELS).classes.shape == (3, 5)


def test_spectral_dcgan_critic_normalises_every_layer() -> None:
    critic = DcganCritic(nets.DcganCritic(width=4, norm="spectral"), 16, 1, 5, names_classes=True)
    layers = [module for module in critic.modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(layers) == len([module for module in critic.modules() if isinstance(module, SpectralNorm)]) == 5


def test_dropout_is_off_in_evaluation_mode() -> None:
    for critic in (
        DcganCritic(nets.DcganCritic(width=4, dropout=0.5), 8, 1, 0, False),
        MlpCritic(nets.MlpCritic(dropout=0.5), (1, 8, 8)),
    ):
        assert not torch.equal(critic(X).score, critic(X).score)
        critic.eval()
        assert torch.equal(critic(X).score, critic(X).score)


def test_score_is_computed_from_the_features() -> None:
    dcgan = DcganCritic(nets.DcganCritic(width=4), 8, 1, 0, False).eval()
    features = dcgan(X).features
    assert features.shape == (3, 4 * 4 * 4)
    torch.testing.assert_close(dcgan.score(features.view(3, 4, 4, 4)).flatten(), dcgan(X).score)
    mlp = MlpCritic(nets.MlpCritic(hidden=(9, 7)), (1, 8, 8))
    torch.testing.assert_close(mlp.layers[-1](mlp(X).features).squeeze(1), mlp(X).score)
    patches = PatchCritic(nets.PatchCritic(width=4, layers=1), 1)(X)
    assert patches.features.shape[0] == 3


@pytest.mark.parametrize("side", [8, 13, 28])
def test_autoencoder_critic_scores_each_picture_by_its_own_error(side: int) -> None:
    torch.manual_seed(1)
    critic = AutoencoderCritic(nets.AutoencoderCritic(width=4, code=6), side, 3)
    x = torch.rand(3, 3, side, side) * 2 - 1
    verdict = critic(x)
    assert verdict.features is None
    rebuilt = critic.reconstruct(x)
    assert rebuilt.shape == x.shape
    torch.testing.assert_close(verdict.score[1], (x[1] - rebuilt[1]).abs().mean())
    torch.testing.assert_close(critic(x[1:2]).score, verdict.score[1:2])
