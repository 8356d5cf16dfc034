"""Files of other projects: what is recognised, that it then computes the same, and the key that a refusal names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from data.errors import Refused
from models.build import build_generator
from models.export import export_bytes, load_generator, write_export
from models.spec.families import FAMILIES
from models.spec.resolve import resolve
from serving.foreign import tasks
from tests.support.foreign_networks import (
    CycleganResnet,
    DcganExample,
    Pix2pixUnet,
    Weights,
    save_pth,
    save_safetensors,
    trained,
)

MOST = 10**9
MAX_DIFFERENCE = 1e-5
RESNETS: dict[str, Callable[[], CycleganResnet]] = {
    "9 blocks": lambda: CycleganResnet(),
    "6 blocks": lambda: CycleganResnet(blocks=6),
    "grey, wider": lambda: CycleganResnet(width=12, blocks=6, channels=1),
    "dropout": lambda: CycleganResnet(dropout=True),
    "batch norm": lambda: CycleganResnet(norm="batch"),
    "batch norm and dropout": lambda: CycleganResnet(blocks=6, norm="batch", dropout=True),
}
UNETS: dict[str, Callable[[], Pix2pixUnet]] = {
    "256": lambda: Pix2pixUnet(),
    "128": lambda: Pix2pixUnet(depth=7),
    "256, instance norm": lambda: Pix2pixUnet(norm="instance"),
    "128, instance norm, grey": lambda: Pix2pixUnet(depth=7, norm="instance", channels=1),
    "256, old instance norm": lambda: Pix2pixUnet(norm="old_instance"),
}


def imported(path: Path) -> nn.Module:
    """Return the generator that a file becomes, through the bytes that the service stores."""
    facts = tasks.accept(path, MOST)
    out = path.with_suffix(".forger")
    pieces = range(0, facts["converted_bytes"], tasks.PIECE_BYTES)
    out.write_bytes(b"".join(tasks.piece(path, offset) for offset in pieces))
    _, step, generator = load_generator(out)
    assert step == 0
    return generator


def difference(first: Tensor, second: Tensor) -> float:
    assert first.std() > 0.05, "The pictures must have contrast, or a wrong network would pass."
    return float((first - second).abs().max())


@torch.no_grad()
def require_equal_pictures(network: nn.Module, generator: nn.Module, side: int, channels: int = 3) -> None:
    x = torch.rand(2, channels, side, side, generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert difference(network(x.clone()), generator(x)) <= MAX_DIFFERENCE


@pytest.mark.parametrize("name", RESNETS)
def test_cyclegan_generator_translates_as_in_its_own_project(name: str, tmp_path: Path) -> None:
    network = trained(RESNETS[name]())
    path = save_pth(network.state_dict(), tmp_path / "latest_net_G_A.pth")
    require_equal_pictures(network, imported(path), 64, 1 if "grey" in name else 3)


@pytest.mark.parametrize("name", UNETS)
def test_unet_translates_as_in_its_own_project(name: str, tmp_path: Path) -> None:
    network = trained(UNETS[name]())
    if "old" in name:
        for module in network.modules():
            if isinstance(module, nn.InstanceNorm2d):
                module.train()  # as its project runs it: with the statistics of the picture
    path = save_pth(network.state_dict(), tmp_path / "latest_net_G.pth")
    require_equal_pictures(network, imported(path), 128 if "128" in name else 256, 1 if "grey" in name else 3)


@pytest.mark.parametrize(("channels", "layers", "latent"), [(3, 5, 100), (1, 4, 64)])
@torch.no_grad()
def test_dcgan_example_draws_as_in_its_own_project(channels: int, layers: int, latent: int, tmp_path: Path) -> None:
    network = trained(DcganExample(latent, 8, channels, layers))
    path = save_pth(network.state_dict(), tmp_path / "netG_epoch_24.pth")
    z = torch.randn(4, latent, generator=torch.Generator().manual_seed(3))
    assert difference(network(z[:, :, None, None]), imported(path)(z)) <= MAX_DIFFERENCE


def test_old_running_statistics_of_instance_norm_are_dropped(tmp_path: Path) -> None:
    old = trained(CycleganResnet(norm="old_instance"))
    assert "model.2.running_mean" in old.state_dict()
    new = CycleganResnet().eval()
    new.load_state_dict({key: value for key, value in old.state_dict().items() if key in new.state_dict()})
    path = save_pth(old.state_dict(), tmp_path / "horse2zebra.pth")
    require_equal_pictures(new, imported(path), 64)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_prefixes_of_wrappers_are_stripped(prefix: str, tmp_path: Path) -> None:
    network = trained(CycleganResnet(blocks=6))
    weights = {prefix + key: value for key, value in network.state_dict().items()}
    require_equal_pictures(network, imported(save_pth(weights, tmp_path / "net_G.pth")), 64)


@pytest.mark.parametrize("build", [RESNETS["9 blocks"], UNETS["128"], DcganExample])
def test_safetensors_file_becomes_the_same_export(build: Callable[[], nn.Module], tmp_path: Path) -> None:
    weights = trained(build()).state_dict()
    files = [save_pth(weights, tmp_path / "a.pth"), save_safetensors(weights, tmp_path / "a.safetensors")]
    exports = []
    for path in files:
        tasks.accept(path, MOST)
        exports.append(tasks.piece(path, 0))
    assert exports[0] == exports[1]


def test_half_precision_is_served_in_fp32(tmp_path: Path) -> None:
    network = trained(CycleganResnet(blocks=6)).half()
    generator = imported(save_pth(network.state_dict(), tmp_path / "half.pth"))
    require_equal_pictures(network.float(), generator, 64)


def _changed(change: Callable[[Weights], object], build: Callable[[], nn.Module] = CycleganResnet) -> Weights:
    weights = dict(build().state_dict())
    change(weights)
    return weights


class _Resized(CycleganResnet):
    """A fork that enlarges and then convolves: enlargement, padding and convolution in place of each transposed one."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for layer in self.model:
            if isinstance(layer, nn.ConvTranspose2d):
                layers += [nn.Upsample(scale_factor=2), nn.ReflectionPad2d(1)]
                layers.append(nn.Conv2d(layer.in_channels, layer.out_channels, 3))
            else:
                layers.append(layer)
        self.model = nn.Sequential(*layers)


REFUSED: dict[str, tuple[Callable[[], Weights], str]] = {
    "a key is missing": (lambda: _changed(lambda w: w.pop("model.4.bias")), "'model.4.bias' is missing"),
    "a shape disagrees": (
        lambda: _changed(lambda w: w.update({"model.7.weight": torch.zeros(32, 16, 5, 5)})),
        "'model.7.weight' has the shape [32, 16, 5, 5], and in the layout cyclegan_resnet it is [32, 16, 3, 3]",
    ),
    "a key is too many": (
        lambda: _changed(lambda w: w.update({"model.99.weight": torch.zeros(3)})),
        "'model.99.weight' [3] has no place in the layout cyclegan_resnet",
    ),
    "a block is missing": (
        lambda: _changed(lambda w: [w.pop(key) for key in list(w) if ".12." in key]),
        "'model.12.conv_block.1.weight' is missing",
    ),
    "resize-convolution": (
        lambda: dict(_Resized().state_dict()),
        "'model.21.weight' [16, 32, 3, 3] belongs to a resize",
    ),
    "blurred": (
        lambda: _changed(lambda w: w.update({"model.20.filt": torch.zeros(32, 1, 3, 3)})),
        "'model.20.filt' belongs to a fork that blurs",
    ),
    "discriminator": (lambda: {"model.0.weight": torch.zeros(64, 3, 4, 4)}, "PatchGAN discriminator"),
    "dcgan's discriminator": (
        lambda: {"main.0.weight": torch.zeros(64, 3, 4, 4), "main.2.weight": torch.zeros(128, 64, 4, 4)},
        "DCGAN example's discriminator",
    ),
    "other keys": (lambda: {"layer1.weight": torch.zeros(3, 4)}, "'layer1.weight' [3, 4]"),
    "nothing": (dict, "none at all"),
    "unequal channels": (
        lambda: _changed(lambda w: w.update({"model.26.weight": torch.zeros(1, 8, 7, 7)})),
        "makes 1 channels from 3",
    ),
    "four channels": (lambda: dict(CycleganResnet(channels=4).state_dict()), "those of this network have 4"),
    "too narrow": (lambda: dict(CycleganResnet(width=2).state_dict()), "Forger cannot build this network. width"),
    "no running statistics": (
        lambda: _changed(lambda w: w.pop("model.2.running_var"), lambda: CycleganResnet(norm="batch")),
        "'model.2.running_var' is missing",
    ),
    "not finite": (
        lambda: _changed(lambda w: w["model.1.bias"].fill_(torch.nan)),
        "'model.1.bias' has numbers that are not finite",
    ),
    "a U-Net without a level": (
        lambda: _changed(lambda w: w.pop("model.model.1.model.3.model.1.weight"), Pix2pixUnet),
        "'model.model.1.model.3.model.1.weight' is missing",
    ),
    "integers": (lambda: _changed(lambda w: w.update({"model.1.weight": torch.zeros(1).int()})), "int32 [1]"),
    "overlapping": (
        lambda: _changed(lambda w: w.update({"model.1.weight": torch.zeros(1).expand(8, 3, 700, 700)})),
        "claims",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_with_the_key_and_shape_that_disagree(name: str, tmp_path: Path) -> None:
    make, sentence = REFUSED[name]
    with pytest.raises(Refused) as refusal:
        tasks.accept(save_pth(make(), tmp_path / "x.pth"), MOST)
    assert sentence in refusal.value.detail


class Payload:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return __import__("os").system, ("touch /tmp/forger-was-here",)


UNREADABLE: dict[str, tuple[object, str]] = {
    "code": ({"model.1.weight": Payload()}, "more than weights (posix.system)"),
    "a whole module": (nn.Linear(2, 2), "more than weights (torch.nn.modules.linear.Linear)"),
    "a list": ([torch.zeros(3)], "holds a list"),
    "a checkpoint with an optimiser": ({"state_dict": {}, "epoch": 3}, "'state_dict' is a dict and no tensor"),
    "keys that are numbers": ({3: torch.zeros(3)}, "'3' is a Tensor"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_file_that_is_no_bare_state_dict_is_refused(name: str, tmp_path: Path) -> None:
    content, sentence = UNREADABLE[name]
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(Refused) as refusal:
        tasks.accept(tmp_path / "x.pth", MOST)
    assert sentence in refusal.value.detail
    assert "state_dict()" in refusal.value.detail


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04broken", b"\x80\x02broken", b"\xff" * 8 + b"{", b"\x08" + bytes(7) + b"{"]
)
def test_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Refused, match="cannot be read"):
        tasks.accept(tmp_path / "x", MOST)


@pytest.mark.parametrize("family", FAMILIES)
def test_own_export_of_every_family_is_accepted(family: str, tmp_path: Path) -> None:
    recipe = resolve(family, seed=1, budget={"steps": 3})[1]
    path = tmp_path / "own.safetensors"
    write_export(path, recipe, 3, build_generator(recipe))
    facts = tasks.accept(path, MOST)
    assert (facts["layout"], facts["step"], facts["converted_bytes"]) == ("forger", 3, 0)
    assert facts["recipe"] == recipe.model_dump(mode="json")


def test_header_that_names_a_far_larger_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    recipe = resolve("dcgan", dataset="digits", seed=1, overrides={"generator": {"width": 1024}})[1]
    path = tmp_path / "own.safetensors"
    path.write_bytes(export_bytes(recipe, 0, {"rise.0.weight": torch.zeros(3)}))
    with pytest.raises(Refused, match="and the file has 3"):
        tasks.accept(path, MOST)
