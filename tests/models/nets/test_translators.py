"""U-Net, SRResNet and the networks of the content loss: published counts, allowed sides, and receptive fields."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.build import build_generator, count_parameters
from models.nets.rotation import RotationNet
from models.nets.srresnet import SrresnetGenerator
from models.nets.unet import UnetGenerator
from models.nets.vgg import Vgg19
from models.spec import nets as spec
from models.spec.resolve import RecipeRefused, resolve
from serving.frozen_norms import frozen, recording


def test_unet_256_has_the_published_parameters() -> None:
    large = resolve("pix2pix", overrides={"data": {"side": 256}, "generator": {"norm": "batch"}})[1]
    assert isinstance(large.generator, spec.UnetGenerator)
    assert large.generator.depth == 8
    with torch.device("meta"):
        assert count_parameters(build_generator(large)) == 54_413_955


def unet(input_channels: int = 3, channels: int = 3, **fields: object) -> UnetGenerator:
    torch.manual_seed(1)
    return UnetGenerator(spec.UnetGenerator.model_validate({"width": 4, **fields}), input_channels, channels).eval()


def pictures(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.rand(2, channels, height, width, generator=torch.Generator().manual_seed(2)) * 2 - 1


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
@pytest.mark.parametrize("skips", [True, False])
@pytest.mark.parametrize("depth", range(1, 7))
def test_unet_paints_any_size_that_is_divisible(depth: int, skips: bool, norm: str) -> None:
    side = 2**depth
    painted = unet(2, 1, depth=depth, skips=skips, norm=norm)(pictures(side, 3 * side, 2))
    assert painted.shape == (2, 1, side, 3 * side)
    assert painted.abs().max() <= 1


def test_only_skip_connections_carry_details_past_the_bottleneck() -> None:
    """The pictures differ in one pixel: with a silent bottleneck only skip connections can tell them apart."""
    x = pictures(16, 16)
    other = x.clone()
    other[..., 5, 5] *= -1
    for skips in (True, False):
        network = unet(depth=3, norm="none", skips=skips)
        with torch.no_grad():
            for weight in network.down[-1].parameters():
                weight.zero_()
            assert torch.equal(network(x), network(other)) is not skips


def test_dropout_is_in_three_blocks_at_most_and_off_in_evaluation_mode() -> None:
    network = unet(depth=6, dropout=0.5)
    dropping = [any(isinstance(layer, torch.nn.Dropout) for layer in block.children()) for block in network.up]
    assert dropping == [True, True, True, False, False]
    x = pictures(64, 64)
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize("factor", [2, 4])
def test_srresnet_enlarges_pictures_of_any_size(factor: int, norm: str) -> None:
    fields = spec.SrresnetGenerator.model_validate({"width": 4, "blocks": 2, "norm": norm})
    painted = SrresnetGenerator(fields, factor, 1).eval()(pictures(5, 7, 1))
    assert painted.shape == (2, 1, 5 * factor, 7 * factor)
    assert painted.abs().max() <= 1


def test_side_that_is_not_divisible_is_refused() -> None:
    for family, overrides in (
        ("pix2pix", {"data": {"side": 20}, "generator": {"kind": "unet", "depth": 3}}),
        ("srgan", {"data": {"side": 30}, "game": {"factor": 4}}),
        ("inpaint", {"data": {"side": 18}}),
    ):
        with pytest.raises(RecipeRefused, match="divisible by"):
            resolve(family, overrides=overrides)


def test_vgg19_has_torchvisions_names_and_ends_before_the_fifth_pooling() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(weight.shape) for name, weight in Vgg19().state_dict().items()}
    layers = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34]
    assert list(shapes) == [f"features.{layer}.{part}" for layer in layers for part in ("weight", "bias")]
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.34.weight"] == (512, 512, 3, 3)
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == 20_024_384


def test_vgg19_repeats_grey_to_three_channels_normalised_as_imagenet() -> None:
    network = Vgg19()
    inputs: list[Tensor] = []
    network.features = torch.nn.Sequential(torch.nn.Identity())
    network.features[0].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    network(torch.full((1, 1, 32, 32), 1.0))
    assert inputs[0].shape == (1, 3, 32, 32)
    assert inputs[0][0, :, 0, 0].tolist() == pytest.approx(
        [(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225]
    )


def test_rotation_features_are_scaled_and_the_logits_are_not() -> None:
    network, x = RotationNet(3), pictures(16, 16)
    features, logits = network(x), network.rotation_logits(x)
    assert features.shape == (2, 64, 4, 4)
    assert logits.shape == (2, 4)
    network.scale.fill_(2)
    assert torch.allclose(network(x), 2 * features)
    assert torch.equal(network.rotation_logits(x), logits)


TRANSLATOR_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "unet 3": ("pix2pix", {"generator": {"kind": "unet", "width": 4, "depth": 3, "norm": "instance"}}),
    "unet 4": ("pix2pix", {"generator": {"kind": "unet", "width": 4, "depth": 4, "norm": "batch", "skips": False}}),
    "resnet": ("cyclegan", {"generator": {"width": 4, "blocks": 2, "upsample": "transposed", "skips": False}}),
    "nearest": ("cyclegan", {"generator": {"width": 4, "blocks": 1, "upsample": "nearest", "skips": True}}),
    "srresnet 2": ("srgan", {"game": {"factor": 2}, "generator": {"width": 4, "blocks": 1}}),
    "srresnet 4": ("srgan", {"game": {"factor": 4}, "generator": {"width": 4, "blocks": 2}}),
}


@pytest.mark.parametrize("name", TRANSLATOR_CASES)
@torch.no_grad()
def test_receptive_radius_of_a_recipe_bounds_the_reach_of_its_network(name: str) -> None:
    """A NaN pixel spreads to every output that depends on it; with frozen norms it ends at the receptive radius."""
    family, overrides = TRANSLATOR_CASES[name]
    recipe = resolve(family, overrides=overrides)[1]
    generator = build_generator(recipe).eval()
    network = (generator["a2b"] if isinstance(generator, torch.nn.ModuleDict) else generator).double()
    channels = next(weight for weight in network.parameters() if weight.ndim > 1).shape[1]
    x = pictures(32, 224, channels)[:1].double()
    with recording(network) as statistics:
        network(x)
    reached = 0
    for column in range(96, 96 + recipe.side_multiple):
        with_nan = x.clone()
        with_nan[..., 5, column] = torch.nan
        with frozen(statistics):
            columns = network(with_nan).isnan().any(dim=2).any(dim=1)[0].nonzero()[:, 0] // recipe.upscaling
        reached = max(reached, int((columns - column).abs().max()))
    assert recipe.receptive_radius - 5 <= reached <= recipe.receptive_radius


@pytest.mark.parametrize("name", ["unet 3", "resnet"])
@torch.no_grad()
def test_frozen_norms_use_the_recorded_statistics(name: str) -> None:
    family, overrides = TRANSLATOR_CASES[name]
    generator = build_generator(resolve(family, overrides=overrides)[1]).eval()
    network = generator["a2b"] if isinstance(generator, torch.nn.ModuleDict) else generator
    names, x, other = list(network.state_dict()), pictures(32, 32)[:1], pictures(32, 64)[1:]
    with recording(network) as statistics:
        expected = network(x)
    unfrozen = network(other)
    with frozen(statistics):
        assert torch.allclose(network(x), expected, atol=1e-5)
        assert not torch.allclose(network(other), unfrozen, atol=1e-2)
    assert torch.equal(network(other), unfrozen), "afterwards the norms use their own statistics again"
    assert list(network.state_dict()) == names
