"""Residual players: every side, where classes and noise enter, attention, and how they begin."""

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


def test_each_share_of_a_hierarchical_latent_reaches_the_picture_and_so_does_the_class() -> None:
    made = generator(16, 5, latent=11, hierarchical=True).eval()
    assert made.chunks == [4, 4, 3]
    z = torch.zeros(1, 11)
    plain = made(z, LABELS[:1])
    for place in (0, 4, 10):
        moved = z.clone()
        moved[0, place] = 3
        assert not torch.allclose(made(moved, LABELS[:1]), plain)
    assert not torch.allclose(made(z, LABELS[1:2]), plain)


def test_temperature_narrows_what_a_hierarchical_generator_draws() -> None:
    made = generator(8, 5, hierarchical=True).eval()
    z, labels = torch.randn(32, 20), torch.zeros(32, dtype=torch.long)
    spreads = [made(z * temperature, labels).std(0).mean() for temperature in (1.0, 0.5, 0.1)]
    assert spreads[0] > spreads[1] > spreads[2]


def test_attention_begins_as_nothing_and_then_sees_far() -> None:
    torch.manual_seed(1)
    layer, x = SelfAttention(8), torch.randn(2, 8, 6, 6, requires_grad=True)
    assert torch.equal(layer(x), x)
    layer.gain.data.fill_(1)
    (slope,) = torch.autograd.grad(layer(x)[0, :, 0, 0].sum(), x)
    assert slope[0, :, 5, 5].abs().sum() > 0, "the opposite corner counts"
    assert slope[1].abs().sum() == 0, "another picture does not"


def test_without_norms_blocks_begin_as_their_bridges() -> None:
    for network in (generator(16, norm="none"), critic(16, norm="none")):
        for block in network.blocks:
            assert isinstance(block, UpBlock | DownBlock)
            assert not block.last.weight.any()
            assert block.convolve.weight.any()
    with_norms = generator(16).blocks[0]
    assert isinstance(with_norms, UpBlock)
    assert with_norms.last.weight.any()


def test_spectral_players_hold_every_layer_and_projections_too() -> None:
    for network in (generator(spectral=True, attention=True, classes=5), critic(classes=5, names=True)):
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        held = [module for module in network.modules() if isinstance(module, SpectralNorm)]
        assert len(held) == len(layers) + isinstance(network, ResidualCritic)
        gains = [module for module in network.modules() if isinstance(module, VectorBatchNorm2d)]
        assert not gains, "this generator is told the class itself"
    assert not [module for module in critic(norm="none").modules() if isinstance(module, SpectralNorm)]


def test_the_class_is_seen_by_projection_or_not_at_all() -> None:
    x = torch.randn(1, 3, 8, 8)
    for conditioning, alike in (("projection", False), ("none", True)):
        judge = critic(8, 5, True, conditioning=conditioning).eval()
        first, second = judge(x, LABELS[:1]), judge(x, LABELS[1:2])
        assert torch.equal(first.score, second.score) == alike
        assert torch.equal(first.classes, second.classes)
