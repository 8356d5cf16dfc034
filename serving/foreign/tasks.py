"""Read a file of weights that somebody sent, convert it and try it, in a child of the sandbox.

The service names these functions and never imports this module, which needs torch.
"""

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from pydantic import ValidationError

from data.errors import Refused
from models.export import EXPORT_FORMAT, METADATA_KEY, export_bytes, load_export
from models.spec.estimates.generator_sizes import generator_size
from models.spec.recipe import Recipe
from models.spec.training import MAX_STEPS
from models.spec.upgrade import read_recipe
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

P, T = ParamSpec("P"), TypeVar("T")
PIECE_BYTES = 16 << 20
TRIED_SIDE = 256
"""side in pixels of the picture that a translator makes when it is tried"""
CODE = "unusable_export"
_converted: list[bytes] = []
"""the export that `accept` made, until the service has fetched its pieces"""
# Opened before the child is confined, and read after that.
_STATUS = os.open("/proc/self/status", os.O_RDONLY) if sys.platform == "linux" else None


# At its first convolution torch reads /proc/cpuinfo, which a confined process cannot.
with torch.inference_mode():
    torch.nn.Conv2d(1, 4, 3)(torch.zeros(1, 1, 8, 8))


def accept(path: Path, b2a: Path | None, max_parameters: int) -> dict[str, Any]:
    """Read a file of weights. Return `layout`, `recipe`, `step`, `parameters`, `notes`, and `converted_bytes`.

    The latter are those of the export that it became, 0 if the file is an export of ours, which is kept as it is.
    `b2a` is the file of the way back, if there is one. Raises Refused.
    """
    _converted.clear()
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
        back, theirs = _at("/b2a", _foreign, b2a, max_parameters)
        recipe, notes = both_ways(plan, back), tuple(dict.fromkeys((*plan.notes, *back.notes)))
        ours = {
            f"{way}.{key}": tensor for way, part in (("a2b", ours), ("b2a", theirs)) for key, tensor in part.items()
        }
        _require_few(ours, max_parameters)
    _converted.append(export_bytes(recipe, 0, ours))
    return _facts(plan.layout, recipe, 0) | {"notes": list(notes), "converted_bytes": len(_converted[0])}


def piece(offset: int) -> bytes:
    """Return up to PIECE_BYTES of the export that `accept` made of the file."""
    return _converted[0][offset : offset + PIECE_BYTES]


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


def _at(pointer: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `work(...)`; its refusal points at the part of the form where the file is."""
    try:
        return work(*args, **kwargs)
    except Refused as error:
        raise type(error)(error.detail, error.code, pointer) from error


def trial(path: Path) -> dict[str, Any] | None:
    """Load an export as the engine does and make one picture. Return what it took; None if it makes none by itself."""
    before = _peak_bytes()
    model = LoadedModel(load_export(path), torch.device("cpu"), threads=1)
    recipe = model.recipe
    if recipe.translates:
        side = TRIED_SIDE // recipe.upscaling
        began = time.perf_counter()
        for _ in model.translate(_picture(recipe, side), "a2b"):
            pass
        what: dict[str, Any] = {"request": "translate", "width": side, "height": side, "tile_side": tile_side(recipe)}
    elif recipe.generates:
        began = time.perf_counter()
        model.sample([Item(0 if recipe.class_conditional else None, 0, 0, 1.0)])
        what = {"request": "sample", "n": 1}
    else:
        return None
    seconds = time.perf_counter() - began
    measured = {"seconds": round(seconds, 4), "memory_bytes": _peak_bytes() - before, "device": "cpu", "threads": 1}
    return what | measured


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
