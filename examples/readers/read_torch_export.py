"""Draw pictures with a torch_export file of Forger, without Forger.

    python read_torch_export.py generator.pt2 out.png             noise, or noise and classes, to pictures
    python read_torch_export.py translator.pt2 out.png photo.png  a picture to its translation

Needs torch, numpy and pillow.
"""

import json
import sys
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor


def main(file: str, out: str, photo: str | None = None) -> None:
    extra = {"forger.json": ""}
    program = torch.export.load(file, extra_files=extra).module()
    facts = json.loads(extra["forger.json"])
    ports, recipe = facts["program"]["inputs"], facts["recipe"]
    print("parity:", facts["parity"])
    inputs = noise(ports, recipe) if photo is None else picture(ports, photo, multiple(recipe))
    with torch.no_grad():
        save(program(*inputs), out)


def noise(ports: list[dict[str, Any]], recipe: dict[str, Any]) -> list[Tensor]:
    """Return latents and, if the program takes them, the classes 0, 1, 2, ..."""
    z = torch.from_numpy(latents(recipe["latent"]))
    return [z, torch.arange(len(z)) % recipe["data"]["classes"]] if len(ports) > 1 else [z]


def latents(latent: dict[str, Any], n: int = 16) -> np.ndarray[Any, Any]:
    """Return n latents of seed 0, the same in the readers of all formats, so that they draw the same pictures."""
    rng, shape = np.random.default_rng(0), (n, latent["size"])
    z = rng.standard_normal(shape) if latent["kind"] == "normal" else rng.uniform(-1, 1, shape)
    return np.asarray(latent["scale"] * z, np.float32)


def multiple(recipe: dict[str, Any]) -> int:
    """Return the number by which the sides of a translator's pictures must be divisible."""
    generator = recipe["generator"]
    return {"resnet": 4, "srresnet": 1}.get(generator["kind"]) or 2 ** generator["depth"]


def picture(ports: list[dict[str, Any]], photo: str, multiple: int) -> list[Tensor]:
    """Return a photo cropped to sides that the network takes; a hole, if it takes one, is the middle."""
    image = Image.open(photo).convert("L" if ports[0]["shape"][1] == 1 else "RGB")
    pixels = torch.from_numpy(np.array(image, np.float32)).view(image.height, image.width, -1) / 127.5 - 1
    height, width = (side // multiple * multiple for side in pixels.shape[:2])
    hole = torch.zeros(1, 1, height, width)
    hole[..., height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 1
    return [pixels[:height, :width].permute(2, 0, 1)[None], hole][: len(ports)]


def save(examples: Tensor, out: str) -> None:
    """Save pictures [n, channels, height, width] in [-1, 1] side by side; print points, strings or codes."""
    if examples.ndim != 4:
        print(examples)
        return
    row = torch.cat(list(examples), dim=2).permute(1, 2, 0)
    levels = ((row + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
