"""Draw pictures with an ONNX file of Forger, without Forger and without torch.

    python read_onnx.py generator.onnx out.png             noise, or noise and classes, to pictures
    python read_onnx.py translator.onnx out.png photo.png  a picture to its translation

Needs onnxruntime, numpy and pillow.
"""

import json
import sys
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image


def main(file: str, out: str, photo: str | None = None) -> None:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["forger"])
    ports = facts["program"]["inputs"]
    print("parity:", facts["parity"])
    inputs = noise(ports, facts["recipe"]) if photo is None else picture(ports, photo, multiple(facts["recipe"]))
    (output,) = session.run(None, inputs)
    save(output, out)


def noise(ports: list[dict[str, Any]], recipe: dict[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """Return latents and, if the program takes them, the classes 0, 1, 2, ..."""
    inputs = {"z": latents(recipe["latent"])}
    if len(ports) > 1:
        inputs["label"] = np.arange(len(inputs["z"])) % recipe["data"]["classes"]
    return inputs


def latents(latent: dict[str, Any], n: int = 16) -> np.ndarray[Any, Any]:
    """Return n latents of seed 0, the same in the readers of all formats, so that they draw the same pictures."""
    rng, shape = np.random.default_rng(0), (n, latent["size"])
    z = rng.standard_normal(shape) if latent["kind"] == "normal" else rng.uniform(-1, 1, shape)
    return np.asarray(latent["scale"] * z, np.float32)


def multiple(recipe: dict[str, Any]) -> int:
    """Return the number by which the sides of a translator's pictures must be divisible."""
    generator = recipe["generator"]
    return {"resnet": 4, "srresnet": 1}.get(generator["kind"]) or 2 ** generator["depth"]


def picture(ports: list[dict[str, Any]], photo: str, multiple: int) -> dict[str, np.ndarray[Any, Any]]:
    """Return a photo cropped to sides that the network takes; a hole, if it takes one, is the middle."""
    image = Image.open(photo).convert("L" if ports[0]["shape"][1] == 1 else "RGB")
    pixels = np.asarray(image, np.float32).reshape(image.height, image.width, -1) / 127.5 - 1
    height, width = (side // multiple * multiple for side in pixels.shape[:2])
    inputs = {"picture": pixels[:height, :width].transpose(2, 0, 1)[None]}
    if len(ports) > 1:
        hole = np.zeros((1, 1, height, width), np.float32)
        hole[..., height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 1
        inputs["hole"] = hole
    return inputs


def save(examples: np.ndarray[Any, Any], out: str) -> None:
    """Save pictures [n, channels, height, width] in [-1, 1] side by side; print points, strings or codes."""
    if examples.ndim != 4:
        print(examples)
        return
    row = np.concatenate(list(examples), axis=2).transpose(1, 2, 0)
    levels = np.rint((row + 1) * 127.5).clip(0, 255).astype(np.uint8)
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
