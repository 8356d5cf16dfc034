"""The files that POST /models/import is tried with: networks of other projects, and how their weights were saved.

`parity` imports one and returns how far its pictures are from those of the network that it came from.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.export import load_generator
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

MAX_PARAMETERS = 10**9
MAX_DIFFERENCE = 1e-5
"""largest difference of a picture in [-1, 1], fp32, from that of the network's own project"""
PICTURES = 2
Save = Callable[[Weights, Path], Path]


@dataclass(frozen=True)
class Layout:
    """A network by its width, the shape of one input, and how its weights become a file."""

    build: Callable[[int], nn.Module]
    shape: tuple[int, ...]
    save: Save = save_pth


def _under(key: str, **beside: object) -> Save:
    return lambda weights, path: save_pth({key: weights, **beside}, path)


def _prefixed(prefix: str) -> Save:
    return lambda weights, path: save_pth({prefix + key: value for key, value in weights.items()}, path)


def _save_in_the_old_format(weights: Weights, path: Path) -> Path:
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return path


def _resnet(side: int = 64, channels: int = 3, save: Save = save_pth, **options: Any) -> Layout:
    return Layout(lambda width: CycleganResnet(width, channels=channels, **options), (channels, side, side), save)


def _unet(depth: int = 8, channels: int = 3, **options: Any) -> Layout:
    side = 2**depth
    return Layout(lambda width: Pix2pixUnet(width, depth, channels=channels, **options), (channels, side, side))


def _dcgan(latent: int = 100, channels: int = 3, layers: int = 5) -> Layout:
    return Layout(lambda width: DcganExample(latent, width, channels, layers), (latent, 1, 1))


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


def imported(path: Path, b2a: Path | None = None) -> tuple[nn.Module, Mapping[str, Any]]:
    """Return the generator that a file becomes, through the bytes that the service stores, and the facts about it."""
    facts = tasks.accept(path, b2a, MAX_PARAMETERS)
    out = path.with_suffix(".forger")
    pieces = range(0, facts["converted_bytes"], tasks.PIECE_BYTES)
    out.write_bytes(b"".join(tasks.piece(offset) for offset in pieces))
    _, _, generator = load_generator(out)
    return generator, facts


@torch.no_grad()
def parity(layout: Layout, width: int, folder: Path) -> Tried:
    """Import a network with weights of a seed, and compare its pictures with those that it makes itself."""
    network = trained(layout.build(width))
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.train()  # as its project runs it: with the statistics of the picture
    before = {key: value.clone() for key, value in network.state_dict().items()}
    generator, facts = imported(layout.save(before, folder / "weights.pth"))
    x = _inputs(layout.shape)
    pictures = network(x.clone())
    ours = generator(x.flatten(1) if facts["layout"] == "dcgan" else x)
    difference = float((pictures - ours).abs().max())
    return Tried(facts["layout"], facts["parameters"], difference, float(pictures.std()))


def _inputs(shape: tuple[int, ...]) -> Tensor:
    """Return latents, or pictures in [-1, 1], from a fixed seed."""
    generator = torch.Generator().manual_seed(3)
    if shape[1:] == (1, 1):
        return torch.randn(PICTURES, *shape, generator=generator)
    return torch.rand(PICTURES, *shape, generator=generator) * 2 - 1
