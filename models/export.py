"""Exports: files of generator weights and recipe, for serving. Equal jobs write equal bytes."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save, save_file
from torch import Tensor, nn

from models import checkpoint
from models.build import build_generator
from models.nets.layers.common import set_training_progress
from models.recalibration import recalibrate_batchnorm
from models.spec.recipe import Recipe
from models.spec.upgrade import read_recipe

METADATA_KEY = "forger"
"""the only metadata key: safetensors writes several keys in random order, so equal exports would differ in bytes"""
EXPORT_FORMAT = 1
"""version of the header's fields"""


class NotAnExport(ValueError):
    """The error of a file that is no export of Forger, or is damaged."""


@dataclass(frozen=True)
class Export:
    """A loaded export: networks by name (`generator`, or `a2b` and `b2a`), in eval mode, in fp32."""

    recipe: Recipe
    step: int
    networks: dict[str, nn.Module]


def write_export(path: Path, recipe: Recipe, step: int, generator: nn.Module) -> None:
    """Write a generator's weights with its recipe. Equal weights give equal bytes."""
    save_file(_stored(generator.state_dict()), path, metadata=_metadata(recipe, step))


def export_bytes(recipe: Recipe, step: int, weights: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of the file that `write_export` writes of a generator with these weights."""
    return save(_stored(weights), metadata=_metadata(recipe, step))


def _stored(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}


def _metadata(recipe: Recipe, step: int) -> dict[str, str]:
    fields = {"format": EXPORT_FORMAT, "recipe": recipe.model_dump(mode="json"), "step": step}
    return {METADATA_KEY: json.dumps(fields, sort_keys=True)}


def export_checkpoint(
    recipe: Recipe, checkpoint_file: Path, out: Path, heartbeat: Callable[[], None] = lambda: None
) -> None:
    """Write the export of a checkpoint, calling `heartbeat` regularly. Raises DamagedCheckpoint.

    The last checkpoint reproduces the job's export byte for byte, with the same number of threads: with another
    number of threads, sums may be rounded differently.
    """
    step, generator = load_averaged(recipe, checkpoint_file, heartbeat)
    write_export(out, recipe, step, generator)


def load_averaged(
    recipe: Recipe, checkpoint_file: Path, heartbeat: Callable[[], None] = lambda: None
) -> tuple[int, nn.Module]:
    """Load a checkpoint's step and its generator for serving. Raises DamagedCheckpoint.

    Its weights are the exponential moving average (EMA); BatchNorm's statistics are computed again for them.
    """
    state = checkpoint.load(checkpoint_file)
    generator = build_generator(recipe)
    generator.load_state_dict(state["average"])
    set_training_progress(generator, state["step"] / recipe.budget.steps)
    recalibrate_batchnorm(generator, recipe, heartbeat=heartbeat)
    return state["step"], generator.eval().requires_grad_(False)


def read_header(path: Path) -> dict[str, Any]:
    """Read the header alone: {"format", "recipe", "step"}. Raises NotAnExport."""
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})[METADATA_KEY])
    except Exception as error:
        raise NotAnExport(f"{path.name} is not an export of Forger: {error}") from error
    if header["format"] != EXPORT_FORMAT:
        raise NotAnExport(f"{path.name} has export format {header['format']}; this version reads {EXPORT_FORMAT}.")
    return header


def load_export(path: Path) -> Export:
    """Load an export. Raises NotAnExport."""
    recipe, step, generator = load_generator(path)
    networks = dict(generator.items()) if isinstance(generator, nn.ModuleDict) else {"generator": generator}
    return Export(recipe, step, networks)


def load_generator(path: Path) -> tuple[Recipe, int, nn.Module]:
    """Load recipe, step and the generator as one module, also if it has two directions. Raises NotAnExport."""
    header = read_header(path)
    recipe = read_recipe(header["recipe"])
    generator = build_generator(recipe)
    with safe_open(path, framework="pt") as file:
        generator.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    generator.eval().requires_grad_(False)
    set_training_progress(generator, header["step"] / recipe.budget.steps)
    return recipe, header["step"], generator
