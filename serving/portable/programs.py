"""Build the programs of an export: modules that torch can trace, the networks that Forger serves, and fixed inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from models.export import load_export
from models.games import degrade
from models.latent import cycling_labels, draw_seeded_latents
from models.nets.autoencoder import Autoencoder
from models.nets.layers.common import FromPixel
from models.rng import stream_seed
from models.spec import portable
from models.spec.nets import padded_side
from models.spec.recipe import Recipe
from serving.loaded import LoadedModel

Inputs = tuple[Tensor, ...]
BATCHES = (1, 7, 24, 32)
"""sizes of the batches that the fixed inputs form"""
CHUNK_PIXELS = 1 << 19
"""most input pixels of pictures that run at once while parity is measured"""
SHORTEST_SIDE = 64
"""least side in pixels of a translator's fixed inputs"""


@dataclass(frozen=True)
class TracedProgram:
    """A program with the module to export, the same computation as Forger serves it, and its fixed inputs."""

    spec: portable.Program
    module: nn.Module
    served: Callable[..., Tensor]
    batches: tuple[Inputs, ...]
    multiple: int
    """number by which height and width must be divisible"""


class HoleFiller(nn.Module):
    """A picture [n, c, h, w] and its hole [n, 1, h, w] -> the picture with the hole filled."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        filled: Tensor = degrade.fill_hole(picture, self.network(degrade.cut_hole(picture, hole)), hole)
        return filled


def load_programs(export: Path) -> tuple[Recipe, int, list[TracedProgram]]:
    """Load the programs of an export: its recipe, its step and the programs. Raises NotAnExport."""
    plain = load_export(export)
    served = LoadedModel(load_export(export), torch.device("cpu"), torch.get_num_threads()).networks
    for network in plain.networks.values():
        _use_plain_first_layers(network)
    modules, servedmodules_of = modules_of(plain.recipe, plain.networks), modules_of(plain.recipe, served)
    traced = [
        TracedProgram(
            spec, modules[spec.name], servedmodules_of[spec.name], fixed_inputs(plain.recipe, spec),
            plain.recipe.side_multiple,
        )
        for spec in portable.programs(plain.recipe)
    ]  # fmt: skip
    return plain.recipe, plain.step, traced


def fixed_inputs(recipe: Recipe, spec: portable.Program) -> tuple[Inputs, ...]:
    """Return the PARITY_INPUTS fixed inputs of a program, in batches of several sizes, pictures also of two sizes."""
    inputs: list[Inputs] = []
    first = 0
    for number, size in enumerate(BATCHES):
        numbers = range(first, first + size)
        inputs.append(tuple(_fixed(recipe, port, numbers, wide=number % 2 == 1) for port in spec.inputs))
        first += size
    return tuple(inputs)


def run_in_chunks(program: Callable[..., Tensor], inputs: Inputs) -> Iterator[Tensor]:
    """Yield the program's outputs for a batch, a large one in parts, so that memory stays bounded."""
    pixels = inputs[0][0].numel()
    rows = max(1, CHUNK_PIXELS // pixels)
    for start in range(0, inputs[0].shape[0], rows):
        yield program(*(tensor[start : start + rows] for tensor in inputs))


def _fixed(recipe: Recipe, port: portable.Port, numbers: Sequence[int], *, wide: bool) -> Tensor:
    """Return fixed values for an input: those of the given numbers."""
    if port.name == "z":
        return draw_seeded_latents(recipe.latent, [stream_seed(0, "parity", number) for number in numbers])
    if port.name == "label":
        labels = cycling_labels(recipe.classes, numbers[-1] + 1)
        assert labels is not None
        return labels[numbers[0] :]
    height = padded_side(SHORTEST_SIDE, recipe.side_multiple)
    sides = {"height": height, "width": height + wide * recipe.side_multiple}
    shape = [sides[size] if isinstance(size, str) else size for size in port.shape[1:]]
    rows = []
    for number in numbers:
        generator = torch.Generator().manual_seed(stream_seed(0, f"parity/{port.name}", number))
        rows.append(torch.rand(shape, generator=generator))
    values = torch.stack(rows)
    return values.round() if port.name == "hole" else 2 * values - 1


def modules_of(recipe: Recipe, networks: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return the module of each program, by name."""
    if recipe.game.kind == "unpaired":
        return dict(networks)
    network = networks["generator"]
    if recipe.translates:
        return {"translator": HoleFiller(network) if recipe.fills_holes else network}
    if isinstance(network, Autoencoder):
        return {"generator": network.decoder, "decoder": network.decoder, "encoder": network.encoder}
    return {"generator": network}


def _use_plain_first_layers(network: nn.Module) -> None:
    """Let each FromPixel compute as the layer that it extends: its padding of small batches cannot be traced."""
    for module in network.modules():
        if isinstance(module, FromPixel):
            module.forward = nn.ConvTranspose2d.forward.__get__(module)  # type: ignore[method-assign]
