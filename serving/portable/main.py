"""Write a served model as files that other programs read, in a process of its own.

`python -m serving.portable.main EXPORT FORMAT FOLDER SECONDS DATA`: the export's file; the name of the format; an empty
folder for the files, for REPORT_FILE and, if the model makes pictures, for DRAWN_FILE; the seconds after which the
kernel ends this process; and the folder of built-in datasets, or nothing.
"""

import hashlib
import json
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch

from data.images import encode, sheet
from data.levels import to_bits
from data.readers import builtin, scene_tensors
from data.readers.base import DatasetMissing
from data.readers.files import Pixels
from data.readers.pictures import to_channels
from data.readers.scenes import HELD_OUT_SEEDS
from models.export import load_export
from models.spec.data import DataSpec, Paired, Unpaired
from models.spec.datasets import DATASETS
from models.spec.portable import PortableFormat, file_names
from models.spec.recipe import Recipe
from serving.loaded import Item, LoadedModel
from serving.portable import formats, parity
from serving.portable.programs import load_programs
from serving.protocol import Direction
from serving.thread_priority import use_batch_scheduling

REPORT_FILE, DRAWN_FILE = "report.json", "drawn.png"
MAX_RENDERED_SIDE = 128
"""largest side in pixels of day2night's scenes that are rendered for a digest, in some six seconds"""
DRAWN = 16
"""number of pictures on the drawn sheet: numbers 0 to 15 of seed 0"""
SCENES, SCENE_SIDE = 4, 128
"""number of painted scenes that a translator translates, and the side of their translations in pixels"""
FACTS_FORMAT = 1
"""version of the fields of a file's metadata"""
_PACKAGES: dict[PortableFormat, tuple[str, ...]] = {
    "safetensors": ("torch", "safetensors"),
    "onnx": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "torch_export": ("torch",),
}


@torch.no_grad()
def main(export: Path, format_: PortableFormat, folder: Path, data: Path | None) -> None:
    """Write the files, and the report last: its presence says that the folder is complete."""
    recipe, step, traced = load_programs(export)
    facts = {
        "format": FACTS_FORMAT,
        "export_sha256": hashlib.sha256(export.read_bytes()).hexdigest(),
        "recipe": recipe.model_dump(mode="json"),
        "step": step,
    }
    parities = formats.write(format_, export, recipe, traced, facts, folder)
    if recipe.translates or (recipe.generates and recipe.data.kind == "images"):
        model = LoadedModel(load_export(export), torch.device("cpu"), torch.get_num_threads())
        (folder / DRAWN_FILE).write_bytes(_translated(model) if recipe.translates else _drawn(model))
    report: dict[str, Any] = {
        "parity": parity.worst(list(parities.values())).json(),
        "programs": {name: one.json() for name, one in parities.items()},
        "files": {name: _facts_of(folder / name) for name in file_names(recipe, format_)},
        "versions": {package: version(package) for package in _PACKAGES[format_]},
        "data_sha256": _data_sha256(recipe, data),
    }
    (folder / REPORT_FILE).write_text(json.dumps(report, sort_keys=True))


def _facts_of(file: Path) -> dict[str, Any]:
    content = file.read_bytes()
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _drawn(model: LoadedModel) -> bytes:
    """Draw the pictures of GET /sample?seed=0 as a PNG: of every class in turn, if there are classes."""
    classes = model.recipe.classes
    items = [Item(index % classes if classes else None, index, 0, 1.0) for index in range(DRAWN)]
    return encode(sheet(model.sample(items), gap=1))


def _translated(model: LoadedModel) -> bytes:
    """Translate painted scenes as a PNG: a row of scenes by day above their translations; by night for b2a."""
    recipe = model.recipe
    directions: tuple[Direction, ...] = ("a2b", "b2a") if recipe.game.kind == "unpaired" else ("a2b",)
    rows = []
    for direction in directions:
        seeds = range(HELD_OUT_SEEDS, HELD_OUT_SEEDS + SCENES)
        painted = scene_tensors.pictures(seeds, SCENE_SIDE // recipe.upscaling, night=direction == "b2a")
        scenes = to_channels(painted, recipe.source_channels).permute(0, 2, 3, 1).numpy()
        inputs = _with_holes(scenes) if recipe.fills_holes else scenes
        enlarged = scenes.repeat(recipe.upscaling, axis=1).repeat(recipe.upscaling, axis=2)
        rows += [enlarged, np.stack(model.translate_together(list(inputs), direction))]
    colours = [np.broadcast_to(to_bits(row, 8), (*row.shape[:3], 3)) for row in rows]
    return encode(sheet(np.concatenate(colours), columns=SCENES, gap=1))


def _with_holes(scenes: Pixels) -> Pixels:
    """Return the scenes with the hole of their middle as the last channel, and blacken it in `scenes`."""
    hole = np.zeros((*scenes.shape[:3], 1), np.uint8)
    quarter = scenes.shape[1] // 4
    hole[:, quarter:-quarter, quarter:-quarter] = 255
    scenes[:, quarter:-quarter, quarter:-quarter] = 0
    return np.concatenate([scenes, hole], axis=3)


def _data_sha256(recipe: Recipe, data: Path | None) -> str | None:
    """Return the sha256 of a built-in dataset's numbers, as a training reads them; None for another or a missing one.

    The numbers of the training split: pictures, labels, points, strings, domains a and b, in this order. None also for
    scenes with sides above MAX_RENDERED_SIDE, which take long to render.
    """
    if recipe.data.dataset not in DATASETS or _renders_long(recipe.data):
        return None
    try:
        read = builtin.load(recipe.data, data)
    except DatasetMissing:
        return None
    digest = hashlib.sha256()
    for tensor in (read.images, read.labels, read.points, read.sequences, read.a, read.b):
        if tensor is not None:
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def _renders_long(data: DataSpec) -> bool:
    return isinstance(data, Unpaired | Paired) and data.prepared_side > MAX_RENDERED_SIDE


if __name__ == "__main__":
    export_file, format_name, folder_name, seconds, data_folder = sys.argv[1:]
    signal.setitimer(signal.ITIMER_REAL, float(seconds))
    use_batch_scheduling()
    assert format_name in get_args(PortableFormat)
    main(Path(export_file), format_name, Path(folder_name), Path(data_folder) if data_folder else None)  # type: ignore[arg-type]
