"""Residual players: every side, where class and latent enter, attention, spectral norm, and their initialisation."""

from typing import Any

import pytest
import torch
from torch import nn

from models.nets.layers.attention import SelfAttention
from models.nets.layers.spectral import SpectralNorm
from models.nets.residual import DownBlock, ResidualCritic, ResidualGenerator, UpBlock, VectorBatchNorm2d
from models.spec import nets

LABELS = torch.tensor([0, 1, 2])


def generator(side: int = 8, classes: int = 0, latent: int = 20, **fields: Any) -> ResidualGenerator:
    torch.manual_seed(1)
    return ResidualGenerator(nets.ResidualGenerator(width=4, **fields), latent, side, 3, classes)


def critic(side: int = 8, classes: int = 0, names: bool = False, **fields: Any) -> ResidualCritic:
    torch.manual_seed(2)
    return ResidualCritic(nets.ResidualCritic(width=4, **fields), side, 3, classes, names)


@pytest.mark.parametrize("side", [8, 9, 13, 28, 30, 32])
@pytest.mark.parametrize("large", [False, True])
def test_players_fit_every_side(side: int, large: bool) -> None:
    extras: dict[str, Any] = {"spectral": True, "attention": True, "hierarchical": True} if large else {"norm": "none"}
    pictures = generator(side, 5 if large else 0, **extras)(torch.randn(3, 20), LABELS if large else None)
    assert pictures.shape == (3, 3, side, side)
    assert pictures.abs().max() <= 1
    verdict = critic(side, 5 if large else 0, large, attention=large)(pictures, LABELS)
    assert verdict.score.shape == (3,)
    assert verdict.features is not None
    assert verdict.features.shape[0] == 3
    assert (verdict.classes is not None) == large


def test_every_chunk_of_a_hierarchical_latent_and_the_class_change_the_picture() -> None:
    network = generator(16, 5, latent=11, hierarchical=True).eval()
    assert network.chunks == [4, 4, 3]
    z = torch.zeros(1, 11)
    picture = network(z, LABELS[:1])
    for index in (0, 4, 10):
        moved = z.clone()
        moved[0, index] = 3
        assert not torch.allclose(network(moved, LABELS[:1]), picture)
    assert not torch.allclose(network(z, LABELS[1:2]), picture)


def test_temperature_reduces_the_variety_of_a_hierarchical_generator() -> None:
    network = generator(8, 5, hierarchical=True).eval()
    z, labels = torch.randn(32, 20), torch.zeros(32, dtype=torch.long)
    spreads = [network(z * temperature, labels).std(0).mean() for temperature in (1.0, 0.5, 0.1)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_attention_starts_as_identity_and_then_reaches_the_whole_picture() -> None:
    torch.manual_seed(1)
    layer, x = SelfAttention(8), torch.randn(2, 8, 6, 6, requires_grad=True)
    assert torch.equal(layer(x), x)
    layer.gain.data.fill_(1)
    (gradient,) = torch.autograd.grad(layer(x)[0, :, 0, 0].sum(), x)
    assert gradient[0, :, 5, 5].abs().sum() > 0, "the opposite corner counts"
    assert gradient[1].abs().sum() == 0, "another picture does not"


def test_blocks_without_norms_start_as_their_shortcuts() -> None:
    for network in (generator(16, norm="none"), critic(16, norm="none")):
        for block in network.blocks:
            assert isinstance(block, UpBlock | DownBlock)
            assert not block.last.weight.any()
            assert block.convolve.weight.any()
    with_norms = generator(16).blocks[0]
    assert isinstance(with_norms, UpBlock)
    assert with_norms.last.weight.any()


def test_spectral_players_normalise_every_layer_and_the_projection() -> None:
    for network in (generator(spectral=True, attention=True, classes=5), critic(classes=5, names=True)):
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        norms = [module for module in network.modules() if isinstance(module, SpectralNorm)]
        assert len(norms) == len(layers) + isinstance(network, ResidualCritic)
        gains = [module for module in network.modules() if isinstance(module, VectorBatchNorm2d)]
        assert not gains, "this generator gets the class itself"
    assert not [module for module in critic(norm="none").modules() if isinstance(module, SpectralNorm)]


def test_critic_uses_the_class_by_projection_or_not_at_all() -> None:
    x = torch.randn(1, 3, 8, 8)
    for conditioning, equal_scores in (("projection", False), ("none", True)):
        network = critic(8, 5, True, conditioning=conditioning).eval()
        first, second = network(x, LABELS[:1]), network(x, LABELS[1:2])
        assert torch.equal(first.score, second.score) == equal_scores
        assert torch.equal(first.classes, second.classes)
