"""Print by how many bytes the translation of a picture raises the peak memory of this process.

    python -m tests.support.memory HEIGHT WIDTH

A picture of one tile is translated before, so that the memory of the network itself is already in the peak.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from models.build import build_generator
from models.spec.resolve import resolve
from serving.tiling import TILE_SIDE, Translator, translate_in_tiles


def main(height: int, width: int) -> None:
    recipe = resolve("cyclegan", seed=1, overrides={"generator": {"width": 4, "blocks": 0}})[1]
    network = build_generator(recipe)["a2b"].eval()  # type: ignore[index]
    translator = Translator(network, recipe.side_multiple, receptive_radius=recipe.receptive_radius)
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    with torch.inference_mode():
        translate(translator, image[:TILE_SIDE, :TILE_SIDE])
        before = peak()
        translate(translator, image)
    print(peak() - before)


def translate(translator: Translator, image: np.ndarray) -> None:
    *_, output = translate_in_tiles(translator, image, torch.device("cpu"))
    assert output is not None
    assert output.shape == image.shape


def peak() -> int:
    """Return the peak in bytes; getrusage would include the memory of the process that started this one."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
