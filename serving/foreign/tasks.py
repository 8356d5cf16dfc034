"""Read a file of weights that somebody sent, convert it and try it, in a child of the sandbox.

The service names these functions and never imports this module, which needs torch.
"""

import json
import math
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError

from data.errors import Refused
from models.export import EXPORT_FORMAT, METADATA_KEY, export_bytes, load_export
from models.spec.estimates.generator_sizes import generator_size
from models.spec.recipe import Recipe
from models.spec.training import MAX_STEPS
from models.spec.upgrade import read_recipe
from serving.foreign.bundle import CODE, weights_of
from serving.foreign.layouts import Plan, both_ways, recognise
from serving.foreign.weights import (
    Weights,
    converted,
    generators,
    is_safetensors,
    read_metadata,
    read_weights,
    require_export,
    require_finite,
)
from serving.loaded import Item, LoadedModel
from serving.tiling import tile_side

PIECE_BYTES = 16 << 20
TRIED_SIDE = 256
"""side in pixels of the picture that a translator makes when it is tried"""
TRIED_S = 1.0
_written: list[bytes] = []
"""what `unpack` or `accept` made of a file, until the service has fetched its pieces"""
# Opened before the child is confined, and read after that.
_STATUS = os.open("/proc/self/status", os.O_RDONLY) if sys.platform == "linux" else None


# At its first convolution torch reads /proc/cpuinfo, which a confined process cannot.
with torch.inference_mode():
    torch.nn.Conv2d(1, 4, 3)(torch.zeros(1, 1, 8, 8))


def unpack(path: Path) -> int:
    """Take the weights out of the ZIP of an export. Return their size, 0 if the file is none. Raises Refused."""
    weights = weights_of(path)
    _written[:] = [] if weights is None else [weights]
    return len(weights or b"")


def accept(path: Path, b2a: Path | None, max_parameters: int) -> dict[str, Any]:
    """Read a file of weights. Return `layout`, `recipe`, `step`, `parameters`, `notes`, and `converted_bytes`.

    The latter are those of the export that it became, 0 if the file is an export of ours, which is kept as it is.
    `b2a` is the file of the way back, if there is one. Raises Refused.
    """
    _written.clear()
    own = read_metadata(path).get(METADATA_KEY) if is_safetensors(path) else None
    if own is not None:
        if b2a is not None:
            raise Refused("An export of Forger holds both ways already: leave b2a out.", CODE, "/b2a")
        recipe, step = _own(own)
        weights, _ = read_weights(path)
        _require_few(weights, max_parameters)
        require_export(recipe, weights)
        return _facts("forger", recipe, step)
    plan, ours = _foreign(path, max_parameters)
    recipe, notes = plan.recipe, plan.notes
    if b2a is not None:
        with _refusals_at("/b2a"):
            back, theirs = _foreign(b2a, max_parameters)
        recipe, notes = both_ways(plan, back), tuple(dict.fromkeys((*plan.notes, *back.notes)))
        ours = {
            f"{way}.{key}": tensor for way, part in (("a2b", ours), ("b2a", theirs)) for key, tensor in part.items()
        }
        _require_few(ours, max_parameters)
    _written.append(export_bytes(recipe, 0, ours))
    return _facts(plan.layout, recipe, 0) | {"notes": list(notes), "converted_bytes": len(_written[0])}


def piece(offset: int) -> bytes:
    """Return up to PIECE_BYTES of what `unpack` or `accept` made of the file."""
    return _written[0][offset : offset + PIECE_BYTES]


def _foreign(path: Path, max_parameters: int) -> tuple[Plan, Weights]:
    """Return the plan of a foreign file, and the state dict of its generator. Raises Refused."""
    weights, holder = read_weights(path)
    _require_few(weights, max_parameters)
    plan = recognise({key: tuple(tensor.shape) for key, tensor in weights.items()})
    require_finite(weights)
    ours = converted(plan, weights)
    require_finite(ours)
    if holder is not None:
        plan = replace(plan, notes=(f"The weights are those that the file holds under '{holder}'.", *plan.notes))
    return plan, ours


@contextmanager
def _refusals_at(pointer: str) -> Iterator[None]:
    """Let a refusal inside the block point at this part of the form."""
    try:
        yield
    except Refused as error:
        raise type(error)(error.detail, error.code, pointer) from error


def trial(path: Path, max_pixels: int) -> dict[str, Any]:
    """Load an export as the engine does and make one picture, or translate one.

    Return `trial`, what it took, and `largest`, the most pixels that it makes and about what they take; both are None
    for a model that does neither. `max_pixels` is the service's bound of a translated picture.
    """
    before = _peak_bytes()
    model = LoadedModel(load_export(path), torch.device("cpu"), threads=1)
    recipe = model.recipe
    side = TRIED_SIDE // recipe.upscaling
    if not recipe.translates and not recipe.generates:
        return {"trial": None, "largest": None}
    if recipe.translates:
        seconds = _shortest(lambda: list(model.translate(_picture(recipe, side), "a2b")))
        tried: dict[str, Any] = {"request": "translate", "width": side, "height": side}
    else:
        seconds = _shortest(lambda: model.sample([Item(0 if recipe.class_conditional else None, 0, 0, 1.0)]))
        tried = {"request": "sample", "n": 1}
    memory = _peak_bytes() - before
    tried |= {"seconds": round(seconds, 4), "memory_bytes": memory, "device": "cpu", "threads": 1}
    return {"trial": tried, "largest": _largest(model, side, seconds, memory, max_pixels)}


def _shortest(work: Callable[[], object]) -> float:
    """Return the seconds of the shortest of the runs of `work` that TRIED_S allows: others may load the machine."""
    began, shortest = time.perf_counter(), math.inf
    while time.perf_counter() - began < TRIED_S:
        start = time.perf_counter()
        work()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def _largest(model: LoadedModel, tried: int, seconds: float, memory: int, max_pixels: int) -> dict[str, Any] | None:
    """Return the most pixels of a picture that the model makes, and about what that takes.

    A picture of `tried` pixels a side took these seconds and bytes. Beyond one tile, memory grows by the pictures only.
    """
    recipe = model.recipe
    if recipe.data.kind in ("points", "sequences"):
        return None
    if not recipe.translates:
        return {"output_pixels": math.prod(recipe.shape[1:])}
    side = math.isqrt(max_pixels) // recipe.upscaling // recipe.side_multiple * recipe.side_multiple
    output = (recipe.upscaling * side) ** 2
    computed = [model.computed_pixels(each, each) for each in (side, tried)]
    maps = max(0, memory - model.bytes) * min(computed[0], tile_side(recipe) ** 2) // computed[1]
    return {
        "width": side,
        "height": side,
        "output_pixels": output,
        "about_seconds": round(seconds * computed[0] / computed[1], 1),
        "about_memory_bytes": model.bytes + maps + side**2 * recipe.source_channels + output * recipe.shape[0],
    }


def _own(header: str) -> tuple[Recipe, int]:
    """Return recipe and step of an export's header. Raises Refused."""
    try:
        fields = json.loads(header)
        if fields["format"] != EXPORT_FORMAT:
            raise Refused(f"The export has format {fields['format']}, and this Forger reads {EXPORT_FORMAT}.", CODE)
        recipe, step = read_recipe(fields["recipe"]), fields["step"]
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = error.errors(include_url=False)[0]["msg"] if isinstance(error, ValidationError) else error
        raise Refused(f"The header of this export of Forger cannot be read: {str(reason)[:200]}.", CODE) from error
    if type(step) is not int or not 0 <= step <= MAX_STEPS:
        raise Refused(f"The header of this export names no step from 0 to {MAX_STEPS}.", CODE)
    if recipe.plugins:
        names = ", ".join(plugin.name for plugin in recipe.plugins)
        raise Refused(f"The export was trained with plugins ({names}), which an import cannot check.", CODE)
    return recipe, step


def _require_few(weights: Weights, most: int) -> None:
    if (number := sum(tensor.numel() for tensor in weights.values())) > most:
        raise Refused(f"The file has {number} weights, more than {most} (max_parameters).", "too_large")


def _facts(layout: str, recipe: Recipe, step: int) -> dict[str, Any]:
    parameters = generator_size(recipe).weights * generators(recipe)
    facts = {"layout": layout, "recipe": recipe.model_dump(mode="json"), "step": step, "parameters": parameters}
    return facts | {"notes": [], "converted_bytes": 0}


def _picture(recipe: Recipe, side: int) -> "np.ndarray[Any, Any]":
    """Return a picture uint8 [side, side, channels] from a fixed seed; of one that fills holes, with a hole."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, recipe.source_channels), np.uint8)
    if not recipe.fills_holes:
        return image
    hole = np.zeros((side, side, 1), np.uint8)
    hole[side // 4 : side // 2, side // 4 : side // 2] = 255
    return np.concatenate([image, hole], axis=2)


def _peak_bytes() -> int:
    """Return the most memory that this process has held, in bytes."""
    if _STATUS is not None and (found := re.search(rb"VmHWM:\s*(\d+) kB", os.pread(_STATUS, 8192, 0))):
        return int(found[1]) << 10
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
