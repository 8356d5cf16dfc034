"""Files of other projects: what is recognised, that it then computes the same, and the key that a refusal names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from data.errors import Refused
from models.build import build_generator, count_parameters
from models.export import export_bytes, write_export
from models.spec.families import FAMILIES
from models.spec.resolve import resolve
from models.spec.upgrade import read_recipe
from serving.foreign import tasks
from tests.support.foreign_networks import (
    CycleganResnet,
    DcganExample,
    Foreign,
    Pix2pixUnet,
    Weights,
    save_pth,
    save_safetensors,
    trained,
)
from tests.support.import_layouts import LAYOUTS, MAX_DIFFERENCE, MAX_PARAMETERS, imported, parity


@pytest.mark.parametrize("name", LAYOUTS)
def test_imported_network_makes_the_pictures_of_its_own_project(name: str, tmp_path: Path) -> None:
    tried = parity(LAYOUTS[name], 8, tmp_path)
    assert tried.contrast > 0.05, "The pictures must have contrast, or a wrong network would pass."
    assert tried.difference <= MAX_DIFFERENCE


def test_old_running_statistics_of_instance_norm_change_no_picture(tmp_path: Path) -> None:
    old = trained(CycleganResnet(norm="old_instance"))
    assert "model.2.running_mean" in old.state_dict()
    without = {key: value for key, value in old.state_dict().items() if "running" not in key and "num_b" not in key}
    exports = [_export(save_pth(weights, tmp_path / "x.pth")) for weights in (old.state_dict(), without)]
    assert exports[0] == exports[1]


@pytest.mark.parametrize("build", [CycleganResnet, Pix2pixUnet, DcganExample])
def test_safetensors_file_becomes_the_same_export_as_a_pth(build: Callable[[], Foreign], tmp_path: Path) -> None:
    weights = trained(build()).state_dict()
    files = [save_pth(weights, tmp_path / "a.pth"), save_safetensors(weights, tmp_path / "a.safetensors")]
    assert _export(files[0]) == _export(files[1])


@torch.no_grad()
def test_half_precision_is_served_in_fp32(tmp_path: Path) -> None:
    network = trained(CycleganResnet(blocks=6)).half()
    export, _ = imported(save_pth(network.state_dict(), tmp_path / "half.pth"))
    generator = export.networks["generator"]
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    assert {weight.dtype for weight in generator.parameters()} == {torch.float32}
    assert float((network.float()(x) - generator(x)).abs().max()) <= MAX_DIFFERENCE


@pytest.mark.parametrize("holder", ["params_ema", "params", "state_dict", "netG", "model"])
def test_notes_name_the_part_of_a_checkpoint_that_was_read(holder: str, tmp_path: Path) -> None:
    path = save_pth({holder: CycleganResnet(blocks=6).state_dict(), "epoch": 3}, tmp_path / "x.pth")
    assert f"under '{holder}'" in tasks.accept(path, None, MAX_PARAMETERS)["notes"][0]


@torch.no_grad()
def test_two_files_of_cyclegan_become_one_model_of_both_ways(tmp_path: Path) -> None:
    networks = {way: trained(CycleganResnet(blocks=6), seed) for seed, way in ((1, "a2b"), (2, "b2a"))}
    paths = [save_pth(network.state_dict(), tmp_path / f"{way}.pth") for way, network in networks.items()]
    export, facts = imported(*paths)
    recipe = read_recipe(facts["recipe"])
    assert (recipe.game.kind, facts["parameters"]) == ("unpaired", 2 * count_parameters(networks["a2b"]))
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    for way, network in networks.items():
        assert float((network(x) - export.networks[way](x)).abs().max()) <= MAX_DIFFERENCE


WAYS_BACK: dict[str, tuple[nn.Module, nn.Module, str]] = {
    "other blocks": (CycleganResnet(blocks=6), CycleganResnet(blocks=9), "blocks is 6 in `file` and 9 in `b2a`"),
    "other channels": (
        CycleganResnet(channels=3),
        CycleganResnet(channels=1),
        "channels is 3 in `file` and 1 in `b2a`",
    ),
    "channels that change": (
        CycleganResnet(channels=1, output_channels=3),
        CycleganResnet(channels=3, output_channels=1),
        "It makes 3 channels of 1",
    ),
    "a U-Net": (CycleganResnet(), Pix2pixUnet(), "these are cyclegan_resnet and pix2pix_unet"),
    "a discriminator": (CycleganResnet(), nn.ModuleDict({"main": nn.Identity()}), "none at all"),
}


@pytest.mark.parametrize("name", WAYS_BACK)
def test_way_back_of_another_layout_is_refused_at_its_part_of_the_form(name: str, tmp_path: Path) -> None:
    network, back, sentence = WAYS_BACK[name]
    path, b2a = (save_pth(each.state_dict(), tmp_path / f"{part}.pth") for part, each in (("a", network), ("b", back)))
    with pytest.raises(Refused) as refusal:
        tasks.accept(path, b2a, MAX_PARAMETERS)
    assert refusal.value.pointer == "/b2a"
    assert sentence in refusal.value.detail


def test_own_export_takes_no_way_back(tmp_path: Path) -> None:
    path, recipe = tmp_path / "own.safetensors", resolve("dcgan", dataset="digits", seed=1)[1]
    write_export(path, recipe, 0, build_generator(recipe))
    with pytest.raises(Refused) as refusal:
        tasks.accept(path, path, MAX_PARAMETERS)
    assert refusal.value.pointer == "/b2a"


def _export(path: Path) -> bytes:
    """Return the first piece of the export that a file becomes."""
    tasks.accept(path, None, MAX_PARAMETERS)
    return tasks.piece(0)


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
    "four channels after three": (
        lambda: _changed(lambda w: w.update({"model.26.weight": torch.zeros(4, 8, 7, 7)})),
        "those of this network have 4",
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
        tasks.accept(save_pth(make(), tmp_path / "x.pth"), None, MAX_PARAMETERS)
    assert sentence in refusal.value.detail


class Payload:
    """An object whose unpickling would run code."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return __import__("os").system, ("touch /tmp/forger-was-here",)


UNREADABLE: dict[str, tuple[object, str]] = {
    "code": ({"model.1.weight": Payload()}, "more than weights (posix.system)"),
    "a whole module": (nn.Linear(2, 2), "more than weights (torch.nn.modules.linear.Linear)"),
    "a list": ([torch.zeros(3)], "holds a list"),
    "a dict of two levels": (
        {"state_dict": {"generator": {"x": torch.zeros(3)}}},
        "'generator' is a dict and no tensor",
    ),
    "a checkpoint under other keys": ({"generator_a": {}, "epoch": 3}, "'generator_a' is a dict and no tensor"),
    "keys that are numbers": ({3: torch.zeros(3)}, "'3' is a Tensor"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_file_that_is_no_bare_state_dict_is_refused(name: str, tmp_path: Path) -> None:
    content, sentence = UNREADABLE[name]
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(Refused) as refusal:
        tasks.accept(tmp_path / "x.pth", None, MAX_PARAMETERS)
    assert sentence in refusal.value.detail
    assert "state_dict()" in refusal.value.detail


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04broken", b"\x80\x02broken", b"\xff" * 8 + b"{", b"\x08" + bytes(7) + b"{"]
)
def test_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(Refused, match="cannot be read"):
        tasks.accept(tmp_path / "x", None, MAX_PARAMETERS)


@pytest.mark.parametrize("family", FAMILIES)
def test_own_export_of_every_family_is_accepted(family: str, tmp_path: Path) -> None:
    recipe = resolve(family, seed=1, budget={"steps": 3})[1]
    path = tmp_path / "own.safetensors"
    write_export(path, recipe, 3, build_generator(recipe))
    facts = tasks.accept(path, None, MAX_PARAMETERS)
    assert (facts["layout"], facts["step"], facts["converted_bytes"]) == ("forger", 3, 0)
    assert facts["recipe"] == recipe.model_dump(mode="json")


def test_header_that_names_a_far_larger_network_is_refused_before_it_is_built(tmp_path: Path) -> None:
    recipe = resolve("dcgan", dataset="digits", seed=1, overrides={"generator": {"width": 1024}})[1]
    path = tmp_path / "own.safetensors"
    path.write_bytes(export_bytes(recipe, 0, {"rise.0.weight": torch.zeros(3)}))
    with pytest.raises(Refused, match="and the file has 3"):
        tasks.accept(path, None, MAX_PARAMETERS)
