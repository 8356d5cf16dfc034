"""The files that POST /models/import is tried with: networks of other projects, and how their weights were saved.

`parity` imports one and returns how far its pictures are from those of the network that it came from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models.export import Export, load_export
from serving.foreign import tasks
from serving.loaded import LoadedModel
from tests.support.foreign_networks import (
    CycleganResnet,
    DcganExample,
    Foreign,
    Pix2pixUnet,
    Weights,
    inputs_of,
    save_pth,
    save_safetensors,
    trained,
)

MAX_PARAMETERS = 10**9
MAX_DIFFERENCE = 1e-5
"""largest difference of a picture in [-1, 1], fp32, from that of the network's own project"""
PICTURES = 2
Save = Callable[[Weights, Path], Path]


@dataclass(frozen=True)
class Layout:
    """A network by its width, and how its weights become a file."""

    build: Callable[[int], Foreign]
    save: Save = save_pth


def _under(key: str, **beside: object) -> Save:
    return lambda weights, path: save_pth({key: weights, **beside}, path)


def _prefixed(prefix: str) -> Save:
    return lambda weights, path: save_pth({prefix + key: value for key, value in weights.items()}, path)


def _save_in_the_old_format(weights: Weights, path: Path) -> Path:
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return path


def _resnet(save: Save = save_pth, **options: Any) -> Layout:
    return Layout(lambda width: CycleganResnet(width, **options), save)


def _unet(depth: int = 8, **options: Any) -> Layout:
    return Layout(lambda width: Pix2pixUnet(width, depth, **options))


def _dcgan(latent: int = 100, channels: int = 3, layers: int = 5) -> Layout:
    return Layout(lambda width: DcganExample(latent, width, channels, layers))


def _rest_of_a_checkpoint() -> dict[str, object]:
    """Return what a training checkpoint holds beside the generator."""
    return {"epoch": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 2e-4}]}, "netD": {"x": torch.zeros(3)}}


LAYOUTS: dict[str, Layout] = {
    "CycleGAN, ResNet of 9 blocks": _resnet(),
    "CycleGAN, ResNet of 6 blocks": _resnet(blocks=6),
    "CycleGAN, trained with dropout": _resnet(dropout=True),
    "CycleGAN, BatchNorm": _resnet(norm="batch"),
    "CycleGAN, BatchNorm and dropout": _resnet(blocks=6, norm="batch", dropout=True),
    "CycleGAN, old file with running statistics": _resnet(norm="old_instance"),
    "CycleGAN, grey": _resnet(blocks=6, channels=1),
    "CycleGAN, grey to RGB": _resnet(blocks=6, channels=1, output_channels=3),
    "CycleGAN, RGB to grey": _resnet(blocks=6, channels=3, output_channels=1),
    "pix2pix, unet_256": _unet(),
    "pix2pix, unet_128": _unet(7),
    "pix2pix, unet_256, InstanceNorm": _unet(norm="instance"),
    "pix2pix, unet_256, old InstanceNorm file": _unet(norm="old_instance"),
    "pix2pix, unet_128, grey": _unet(7, channels=1, norm="instance"),
    "pix2pix, unet_256, grey to RGB": _unet(channels=1, output_channels=3),
    "pix2pix, unet_256, RGB to grey": _unet(channels=3, output_channels=1),
    "DCGAN example, 64 px RGB": _dcgan(),
    "DCGAN example, 64 px grey": _dcgan(channels=1),
    "DCGAN example, 32 px": _dcgan(64, layers=4),
    "DCGAN example, 128 px": _dcgan(layers=6),
    "saved with `module.`": _resnet(blocks=6, save=_prefixed("module.")),
    "saved with `_orig_mod.`": _resnet(blocks=6, save=_prefixed("_orig_mod.")),
    "saved with `module._orig_mod.`": _resnet(blocks=6, save=_prefixed("module._orig_mod.")),
    "saved with `_orig_mod.module.`": _resnet(blocks=6, save=_prefixed("_orig_mod.module.")),
    "under `state_dict`": _resnet(blocks=6, save=_under("state_dict", **_rest_of_a_checkpoint())),
    "under `model`": _resnet(blocks=6, save=_under("model")),
    "under `params`": _resnet(blocks=6, save=_under("params")),
    "under `params_ema`, beside `params`": _resnet(blocks=6, save=_under("params_ema", params={"x": torch.zeros(3)})),
    "under `netG`, beside `netD`": _resnet(blocks=6, save=_under("netG", **_rest_of_a_checkpoint())),
    "safetensors": _resnet(blocks=6, save=save_safetensors),
    "the format of torch before 1.6": _resnet(blocks=6, save=_save_in_the_old_format),
}


@dataclass(frozen=True)
class Tried:
    """What came of an import: the layout that was recognised, the weights, and the largest difference of pictures."""

    layout: str
    parameters: int
    difference: float
    contrast: float
    """standard deviation of the pictures, whose range is [-1, 1]"""


def imported(path: Path, b2a: Path | None = None) -> tuple[Export, Mapping[str, Any]]:
    """Return the export that a file becomes, through the bytes that the service stores, and the facts about it."""
    facts = tasks.accept(path, b2a, MAX_PARAMETERS)
    out = path.with_suffix(".forger")
    pieces = range(0, facts["converted_bytes"], tasks.PIECE_BYTES)
    out.write_bytes(b"".join(tasks.piece(offset) for offset in pieces))
    return load_export(out), facts


@torch.no_grad()
def parity(layout: Layout, width: int, folder: Path) -> Tried:
    """Import a network with weights of a seed, and compare the pictures of what is served with its own."""
    network = trained(layout.build(width))
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.train()  # as its project runs it: with the statistics of the picture
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    export, facts = imported(layout.save(weights, folder / "weights.pth"))
    x = inputs_of(network, PICTURES, 3)
    pictures = network(x.clone())
    served = LoadedModel(export, torch.device("cpu"), threads=torch.get_num_threads()).networks["generator"]
    ours = served(x.flatten(1) if facts["layout"] == "dcgan" else x)
    difference = float((pictures - ours).abs().max())
    return Tried(facts["layout"], facts["parameters"], difference, float(pictures.std()))
