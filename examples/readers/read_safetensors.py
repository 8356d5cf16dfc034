"""Draw pictures with a safetensors file of Forger, without Forger: rebuild the network from its keys and shapes.

    python read_safetensors.py weights.safetensors out.png                 noise, or noise and classes, to pictures
    python read_safetensors.py weights.safetensors out.png photo.png       a picture to its translation
    python read_safetensors.py weights.safetensors out.png photo.png b2a   in the other direction (cyclegan)

Needs torch, safetensors, numpy and pillow. It prints the parity that card.json of the export says, if it lies beside
the file. The recipe in the file's metadata names the network (recipe.generator.kind):

- mlp: gan, cgan. layers.N in the order of computation; a layer without running_mean is linear.
- dcgan: dcgan, cdcgan, acgan, wgan, wgan_gp, lsgan, began, d2gan, unrolled, pacgan, minibatch. rise.N is a transposed
  convolution (rise.0 of one pixel, the others with stride 2 and padding 1), norms.N follows it, then ReLU. paint comes
  last: a convolution with padding 1, or one more doubling; then tanh.
- mlp_autoencoder and dcgan_autoencoder: autoencoder, linear_autoencoder, vae, beta_vae, mdgan. decoder.* is as above.
- residual: sngan, r3gan. first, then blocks.N of two norms and two convolutions with a bridge around them, then paint.
- resnet: cyclegan. model.N as in the authors' code, below a2b and b2a.
- unet: pix2pix. down.N halves the side, up.N doubles it, paint is last.

A norm with classes is norm.* without gain and bias, which gain.weight and bias.weight [classes, channels] give.
For the others take the formats onnx or torch_export, which bring their computation with them.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from torch import Tensor

Weights = dict[str, Tensor]
Recipe = dict[str, Any]
UNKNOWN = ("spectral", "attention", "hierarchical")
"""fields of a generator whose layers are not written out here: sagan and biggan"""


def main(file: str, out: str, photo: str | None = None, direction: str = "a2b") -> None:
    with safe_open(file, framework="pt") as opened:
        recipe: Recipe = json.loads(opened.metadata()["forger"])["recipe"]
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    generator, data, game = recipe["generator"], recipe["data"], recipe["game"]
    known = (DRAWERS if data["kind"] == "images" else {}) if photo is None else TRANSLATORS
    if generator["kind"] not in known or any(map(generator.get, UNKNOWN)) or game.get("task") == "masks":
        what = "from noise" if photo is None else "from a photograph"
        sys.exit(f"No {data['kind']} of {generator['kind']} {what} here: take the format onnx or torch_export.")
    print_parity(Path(file).with_name("card.json"), direction)
    if photo is not None:
        weights = part(weights, direction) if game["kind"] == "unpaired" else weights
        save(TRANSLATORS[generator["kind"]](weights, recipe, picture(photo, weights, generator)), out)
        return
    z = torch.from_numpy(latents(recipe["latent"]))
    label = torch.arange(len(z)) % data["classes"] if game.get("conditional") else None
    examples = DRAWERS[generator["kind"]](part(weights, "decoder") or weights, recipe, z, label)
    save(examples.view(len(z), data["channels"], data["side"], data["side"]), out)


def print_parity(card: Path, direction: str) -> None:
    """Print the parity of the program that is used here. The bytes of the weights are the service's, without parity."""
    if not card.is_file():
        print("parity: in card.json of the export, which is not beside the file")
        return
    programs = json.loads(card.read_text(encoding="utf-8"))["programs"]
    print("parity:", next((one["parity"] for one in programs if one["name"] == direction), programs[0]["parity"]))


def latents(latent: dict[str, Any], n: int = 16) -> np.ndarray[Any, Any]:
    """Return n latents of seed 0, the same in the readers of all formats, so that they draw the same pictures."""
    rng, shape = np.random.default_rng(0), (n, latent["size"])
    z = rng.standard_normal(shape) if latent["kind"] == "normal" else rng.uniform(-1, 1, shape)
    return np.asarray(latent["scale"] * z, np.float32)


def mlp(weights: Weights, recipe: Recipe, z: Tensor, label: Tensor | None) -> Tensor:
    """Compute the fully connected generator: the label follows the latent as a one-hot vector."""
    x = z if label is None else torch.cat([z, F.one_hot(label, recipe["data"]["classes"]).float()], 1)
    activations: dict[str, Callable[[Tensor], Tensor]] = {
        "relu": F.relu,
        "tanh": torch.tanh,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    }
    weights = part(weights, "layers") or weights
    numbers = sorted({int(name.split(".")[0]) for name in weights})
    linear = [number for number in numbers if f"{number}.running_mean" not in weights]
    for number in numbers:
        layer = part(weights, f"{number}")
        x = F.linear(x, layer["weight"], layer["bias"]) if number in linear else norm(layer, x)
        # Activations have no keys: they stand where a number is missing.
        if number != linear[-1] and number + 1 not in numbers:
            x = activations[recipe["generator"]["activation"]](x)
    return x.tanh() if recipe["generator"]["hidden"] or recipe["generator"]["kind"] == "mlp" else x


def dcgan(weights: Weights, recipe: Recipe, z: Tensor, label: Tensor | None) -> Tensor:
    """Compute DCGAN's generator, with or without classes."""
    x = deconvolve(part(weights, "rise.0"), z[:, :, None, None])
    x = norm(part(weights, "norms.0"), x, label).relu()
    for number in range(1, sum(name.startswith("rise.") and name.endswith("weight") for name in weights)):
        x = deconvolve(part(weights, f"rise.{number}"), x, stride=2, padding=1)
        x = norm(part(weights, f"norms.{number}"), x, label).relu()
    paint = part(weights, "paint")
    if recipe["generator"].get("refine"):
        return convolve(paint, x, padding=1).tanh()
    return deconvolve(paint, x, stride=2, padding=1).tanh()


def residual(weights: Weights, recipe: Recipe, z: Tensor, label: Tensor | None) -> Tensor:
    """Compute residual blocks from a map of 4 to 7 px, each to the next side, up to the pictures' side."""
    sides = [recipe["data"]["side"]]
    while sides[0] > 7:
        sides.insert(0, -(-sides[0] // 2))
    x = F.linear(z, weights["first.weight"], weights["first.bias"]).view(len(z), -1, sides[0], sides[0])
    for number, side in enumerate(sides[1:]):
        block = part(weights, f"blocks.{number}")
        hidden = F.interpolate(norm(part(block, "norms.0"), x, label).relu(), (side, side))
        hidden = norm(part(block, "norms.1"), convolve(part(block, "convolve"), hidden, padding=1), label).relu()
        bridge = part(block, "bridge")
        x = convolve(part(block, "last"), hidden, padding=1) + F.interpolate(
            convolve(bridge, x) if bridge else x, (side, side)
        )
    return convolve(part(weights, "paint"), norm(part(weights, "last_norm"), x).relu(), padding=1).tanh()


def resnet(weights: Weights, recipe: Recipe, x: Tensor) -> Tensor:
    """Compute CycleGAN's generator: two halvings, residual blocks, two doublings."""
    spec = recipe["generator"]
    end = 10 + spec["blocks"]

    def layer(name: str, x: Tensor, mirrored: int = 0, **options: int) -> Tensor:
        x = convolve(part(weights, f"model.{name}"), F.pad(x, (mirrored,) * 4, "reflect"), **options)
        return norm({}, x, instance=spec["norm"] == "instance")

    full = layer("1", x, mirrored=3).relu()
    half = layer("4", full, stride=2, padding=1).relu()
    x = layer("7", half, stride=2, padding=1).relu()
    for number in range(10, end):
        hidden = layer(f"{number}.conv_block.1", x, mirrored=1).relu()
        x = x + layer(f"{number}.conv_block.5", hidden, mirrored=1)
    for number, same_side in ((end, half), (end + 3, full)):
        if spec["upsample"] == "nearest":
            x = layer(f"{number}.1", F.interpolate(x, scale_factor=2.0), padding=1).relu()
        else:
            x = deconvolve(part(weights, f"model.{number}"), x, stride=2, padding=1, output_padding=1)
            x = norm({}, x, instance=spec["norm"] == "instance").relu()
        x = x + same_side if spec["skips"] else x
    return convolve(part(weights, f"model.{end + 7}"), F.pad(x, (3,) * 4, "reflect")).tanh()


def unet(weights: Weights, recipe: Recipe, x: Tensor) -> Tensor:
    """Compute pix2pix's U-Net. The dropout of its training is off."""
    spec = recipe["generator"]
    instance, last = spec["norm"] == "instance", spec["depth"] - 1
    maps: list[Tensor] = []
    for level in range(spec["depth"]):
        x = F.leaky_relu(x, 0.2) if level else x
        x = convolve(part(weights, f"down.{level}.{min(level, 1)}"), x, stride=2, padding=1)
        if 0 < level < last:
            x = norm(part(weights, f"down.{level}.2"), x, instance=instance)
        maps.append(x)
    for number in range(last):
        x = deconvolve(part(weights, f"up.{number}.1"), x.relu(), stride=2, padding=1)
        x = norm(part(weights, f"up.{number}.2"), x, instance=instance)
        x = torch.cat([x, maps[last - 1 - number]], 1) if spec["skips"] else x
    return deconvolve(part(weights, "paint.1"), x.relu(), stride=2, padding=1).tanh()


DRAWERS: dict[str, Callable[[Weights, Recipe, Tensor, Tensor | None], Tensor]] = {
    "mlp": mlp,
    "mlp_autoencoder": mlp,
    "dcgan": dcgan,
    "dcgan_autoencoder": dcgan,
    "residual": residual,
}
"""networks from noise, by kind"""
TRANSLATORS: dict[str, Callable[[Weights, Recipe, Tensor], Tensor]] = {"resnet": resnet, "unet": unet}
"""networks from pictures, by kind"""


def part(weights: Weights, name: str) -> Weights:
    """Return the tensors below a name, by the rest of their names."""
    return {key.removeprefix(f"{name}."): tensor for key, tensor in weights.items() if key.startswith(f"{name}.")}


def convolve(layer: Weights, x: Tensor, **options: int) -> Tensor:
    return F.conv2d(x, layer["weight"], layer.get("bias"), **options)


def deconvolve(layer: Weights, x: Tensor, **options: int) -> Tensor:
    return F.conv_transpose2d(x, layer["weight"], layer.get("bias"), **options)


def norm(layer: Weights, x: Tensor, label: Tensor | None = None, instance: bool = False) -> Tensor:
    """Normalise by the picture itself or by stored statistics; return x unchanged if there are neither."""
    if instance:
        return F.instance_norm(x)
    if "gain.weight" in layer:
        x = F.batch_norm(x, layer["norm.running_mean"], layer["norm.running_var"])
        return x * layer["gain.weight"][label][..., None, None] + layer["bias.weight"][label][..., None, None]
    if not layer:
        return x
    return F.batch_norm(x, layer["running_mean"], layer["running_var"], layer.get("weight"), layer.get("bias"))


def picture(photo: str, weights: Weights, generator: dict[str, Any]) -> Tensor:
    """Return a photo [1, channels, height, width] in [-1, 1], cropped to sides that the network takes."""
    first, multiple = ("model.1", 4) if generator["kind"] == "resnet" else ("down.0.0", 2 ** generator["depth"])
    channels = weights[f"{first}.weight"].shape[1]
    image = Image.open(photo).convert("L" if channels == 1 else "RGB")
    width, height = (side // multiple * multiple for side in image.size)
    levels = torch.frombuffer(bytearray(image.crop((0, 0, width, height)).tobytes()), dtype=torch.uint8)
    return levels.view(1, height, width, channels).permute(0, 3, 1, 2) / 127.5 - 1


def save(examples: Tensor, out: str) -> None:
    """Save pictures [n, channels, height, width] in [-1, 1] side by side."""
    row = torch.cat(list(examples), dim=2).permute(1, 2, 0)
    levels = ((row + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
