"""Fused batch norms, and matrix products in place of transposed convolutions, change no output visibly."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from models.build import build_generator
from models.latent import cycling_labels, draw_latent
from models.nets.layers.common import FromPixel
from models.recalibration import recalibrate_batchnorm
from models.rng import Rng
from models.spec.families import FAMILIES
from models.spec.resolve import resolve
from serving.fuse_batchnorm import fuse_batch_norms
from serving.matmul_deconv import MAX_OUTPUT_CHANNELS, use_matrix_products
from tests.support.networks import randomise_norms

ONE_LEVEL = 1 / 127.5
TRANSLATORS = [name for name in FAMILIES if resolve(name, seed=1)[1].translates]
FROM_LATENTS = [name for name in FAMILIES if name not in TRANSLATORS]
BATCH: dict[str, Any] = {"norm": "batch"}
TRANSLATOR_CASES: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in TRANSLATORS),
    ("pix2pix", BATCH),
    ("pix2pix", BATCH | {"dropout": 0.5}),
    ("srgan", BATCH),
]
"""families, and overrides of the generator"""


@pytest.mark.parametrize("family", FROM_LATENTS)
def test_fused_generator_draws_the_same_pictures(family: str) -> None:
    _, recipe = resolve(family, seed=1)
    generator = build_generator(recipe).eval()
    recalibrate_batchnorm(generator, recipe, batches=2, batch_size=16)
    fused = copy.deepcopy(generator)
    fuse_batch_norms(fused)
    z, labels = draw_latent(recipe.latent, Rng(1).stream("folding"), 8), cycling_labels(recipe.classes, 8)
    with torch.inference_mode():
        assert (fused(z, labels) - generator(z, labels)).abs().max() < ONE_LEVEL / 4


@pytest.mark.parametrize("n", [1, 3, 32])
@pytest.mark.parametrize(
    ("family", "dataset", "overrides"),
    [
        ("dcgan", "digits", {}),
        ("cdcgan", "digits", {"data": {"side": 28}}),
        ("dcgan", "digits", {"data": {"side": 9}, "generator": {"norm": "none"}}),
        ("wgan_gp", "cifar10", {}),
        ("sagan", "digits", {}),
    ],
    ids=["16 px", "28 px with classes", "an odd side, with biases", "colour", "another network"],
)
def test_generator_with_matrix_products_draws_the_same_pictures(
    family: str, dataset: str, overrides: dict[str, Any], n: int
) -> None:
    _, recipe = resolve(family, dataset=dataset, seed=1, overrides=overrides)
    generator = build_generator(recipe).eval()
    recalibrate_batchnorm(generator, recipe, batches=2, batch_size=16)
    fuse_batch_norms(generator)
    products = copy.deepcopy(generator).requires_grad_(False)
    use_matrix_products(products)
    z, labels = draw_latent(recipe.latent, Rng(1).stream("products"), n), cycling_labels(recipe.classes, n)
    with torch.inference_mode():
        before, after = generator(z, labels), products(z, labels)
    assert before.std() > ONE_LEVEL
    assert after.shape == before.shape
    assert (after - before).abs().max() < 1e-5
    transposed = [module for module in products.modules() if isinstance(module, nn.ConvTranspose2d)]
    assert all(layer.out_channels > MAX_OUTPUT_CHANNELS for layer in transposed)


@pytest.mark.parametrize("n", [1, 3, 32])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "memory_format", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"]
)
def test_layer_from_one_pixel_equals_a_transposed_convolution(
    memory_format: torch.memory_format, bias: bool, n: int
) -> None:
    layer = FromPixel(20, 12, 7, bias=bias).to(memory_format=memory_format)  # type: ignore[call-overload]
    plain = nn.ConvTranspose2d(20, 12, 7, bias=bias)
    plain.load_state_dict(layer.state_dict())
    z = torch.randn(n, 20, 1, 1, generator=torch.Generator().manual_seed(1))
    out, expected = layer(z), plain(z)
    assert (out - expected).abs().max() < 1e-5
    gradients = torch.autograd.grad(out.square().sum(), list(layer.parameters()))
    expected_gradients = torch.autograd.grad(expected.square().sum(), list(plain.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(gradients, expected_gradients, strict=True))


@pytest.mark.parametrize("family", ["dcgan", "cdcgan"])
def test_fused_generator_has_no_batch_norm(family: str) -> None:
    generator = build_generator(resolve(family, seed=1)[1]).eval()
    assert any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())
    fuse_batch_norms(generator)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())


@pytest.mark.parametrize(("family", "generator"), TRANSLATOR_CASES)
def test_fused_translator_translates_the_same(family: str, generator: dict[str, Any]) -> None:
    generator_network = build_generator(resolve(family, seed=1, overrides={"generator": generator})[1]).eval()
    for network in generator_network.values() if isinstance(generator_network, nn.ModuleDict) else [generator_network]:
        randomise_norms(network)
        fused = copy.deepcopy(network)
        fuse_batch_norms(fused)
        first = next(weight for weight in network.parameters() if weight.ndim > 1)
        x = torch.rand(4, first.shape[1], 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
        with torch.inference_mode():
            before, after = network(x), fused(x)
        assert before.std() > ONE_LEVEL
        assert (after - before).abs().max() < ONE_LEVEL / 4
        if generator:
            assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
