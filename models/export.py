"""The slim file that serves: generator weights and recipe, nothing of the job, so that equal jobs give equal bytes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from models import checkpoint
from models.build import build_generator
from models.nets.layers.common import proceed
from models.recalibration import recalibrate
from models.spec.recipe import Recipe
from models.spec.upgrade import read

HEADER = "forger"
"""The one metadata key: with two, safetensors writes them in random order."""
FORMAT = 1


class NotAnExport(ValueError):
    """The file is no export of this project, or is damaged."""


@dataclass(frozen=True)
class Export:
    """A loaded export: networks by name (`generator`, or `a2b` and `b2a`), in eval mode, in fp32."""

    recipe: Recipe
    step: int
    networks: dict[str, nn.Module]


def write_export(path: Path, recipe: Recipe, step: int, generator: nn.Module) -> None:
    """Write `generator` (its EMA, recalibrated) with its recipe. Equal weights give equal bytes."""
    header = json.dumps({"format": FORMAT, "recipe": recipe.model_dump(mode="json"), "step": step}, sort_keys=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()}
    save_file(weights, path, metadata={HEADER: header})


def export_checkpoint(recipe: Recipe, saved: Path, out: Path, beat: Callable[[], None] = lambda: None) -> None:
    """Write the export of a checkpoint; `beat` is called all along. Raises DamagedCheckpoint.

    With the job's number of threads (another may round sums otherwise) its last one gives the job's own export again.
    """
    step, generator = averaged(recipe, saved, beat)
    write_export(out, recipe, step, generator)


def averaged(recipe: Recipe, saved: Path, beat: Callable[[], None] = lambda: None) -> tuple[int, nn.Module]:
    """Load a checkpoint's step and its averaged generator as an export holds it. Raises DamagedCheckpoint."""
    state = checkpoint.load(saved)
    generator = build_generator(recipe)
    generator.load_state_dict(state["average"])
    proceed(generator, state["step"] / recipe.budget.steps)
    recalibrate(generator, recipe, beat=beat)
    return state["step"], generator.eval().requires_grad_(False)


def read_header(path: Path) -> dict[str, Any]:
    """The header alone: {"format", "recipe", "step"}. Raises NotAnExport."""
    try:
        with safe_open(path, framework="pt") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {})[HEADER])
    except Exception as error:
        raise NotAnExport(f"{path.name} is not an export of Forger: {error}") from error
    if header["format"] != FORMAT:
        raise NotAnExport(f"{path.name} has export format {header['format']}; this version reads {FORMAT}.")
    return header


def load_export(path: Path) -> Export:
    """Read the header, upgrade the recipe, build, load strictly. Raises NotAnExport."""
    recipe, step, generator = load_whole(path)
    networks = dict(generator.items()) if isinstance(generator, nn.ModuleDict) else {"generator": generator}
    return Export(recipe, step, networks)


def load_whole(path: Path) -> tuple[Recipe, int, nn.Module]:
    """Recipe, step and the generator as the trainer has it, all directions in one module. Raises NotAnExport."""
    header = read_header(path)
    recipe = read(header["recipe"])
    generator = build_generator(recipe)
    with safe_open(path, framework="pt") as file:
        generator.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    generator.eval().requires_grad_(False)
    proceed(generator, header["step"] / recipe.budget.steps)
    return recipe, header["step"], generator
