"""The slim file that serves: generator weights and recipe, nothing of the job, so that equal jobs give equal bytes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models import checkpoint
from models.build import build_generator
from models.latent import draw_latent
from models.nets.schedule import proceed
from models.rng import Rng
from models.spec.recipe import Recipe
from models.spec.upgrade import upgrade

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


def export_checkpoint(recipe: Recipe, saved: Path, out: Path) -> None:
    """Write the export of a checkpoint. Raises DamagedCheckpoint.

    With the job's number of threads (another may round sums otherwise) its last one gives the job's own export again.
    """
    step, generator = averaged(recipe, saved)
    write_export(out, recipe, step, generator)


def averaged(recipe: Recipe, saved: Path) -> tuple[int, nn.Module]:
    """Load a checkpoint's step and its averaged generator as an export holds it. Raises DamagedCheckpoint."""
    state = checkpoint.load(saved)
    generator = build_generator(recipe)
    generator.load_state_dict(state["average"])
    proceed(generator, state["step"] / recipe.budget.steps)
    recalibrate(generator, recipe)
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
    recipe = Recipe.model_validate(upgrade(header["recipe"]))
    generator = build_generator(recipe)
    with safe_open(path, framework="pt") as file:
        generator.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    generator.eval().requires_grad_(False)
    proceed(generator, header["step"] / recipe.budget.steps)
    return recipe, header["step"], generator


@torch.no_grad()
def recalibrate(generator: nn.Module, recipe: Recipe, batches: int = 32, batch_size: int = 128) -> None:
    """Set BatchNorm's statistics to those of the averaged weights on fixed latents.

    The running statistics belong to the weights of training; an average of weights has statistics of its own.
    Those of an encoder, which latents do not reach, stay.
    """
    if not recipe.draws:
        return
    device = next(generator.parameters()).device
    rng = Rng(recipe.seed)
    labels = cycling_labels(recipe.classes, batch_size, device)

    def draw(number: int) -> None:
        generator(draw_latent(recipe.latent, rng.stream("recalibrate", number), batch_size).to(device), labels)

    norms = _reached(generator.eval(), lambda: draw(0))
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for number in range(batches if norms else 0):
        draw(number)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    generator.eval()


def _reached(network: nn.Module, run: Callable[[], None]) -> list[_BatchNorm]:
    """The BatchNorm layers that `run` passes through."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    seen: set[nn.Module] = set()
    hooks = [norm.register_forward_hook(lambda norm, *_: seen.add(norm)) for norm in norms]
    if norms:
        run()
    for hook in hooks:
        hook.remove()
    return [norm for norm in norms if norm in seen]


def cycling_labels(classes: int, n: int, device: torch.device | str = "cpu") -> Tensor | None:
    """0, 1, ..., classes - 1, 0, ... [n]; None without classes."""
    return torch.arange(n, device=device) % classes if classes else None
