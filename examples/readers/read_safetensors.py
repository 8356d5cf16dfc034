"""Draw pictures with a safetensors file of Forger, without Forger: rebuild the network from its keys and shapes.

    python read_safetensors.py weights.safetensors out.png

Needs torch, safetensors and pillow. It knows two layouts: `mlp` (gan, cgan) and `dcgan` (dcgan, cdcgan, wgan, lsgan and
others). For the other networks take the formats onnx or torch_export, which bring their computation with them.

Keys of `mlp`: layers.N.weight and layers.N.bias in the order of computation; a layer without running_mean is linear.
Keys of `dcgan`: rise.N is a transposed convolution (rise.0 of one pixel, the others with stride 2 and padding 1).
norms.N follows it: a batch norm; with classes it is norm.* without gain and bias, which gain.weight and bias.weight
[classes, channels] give; then ReLU. paint comes last: a convolution with padding 1, or one more doubling; then tanh.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import safe_open
from torch import Tensor

Weights = dict[str, Tensor]


N = 16
"""number of pictures"""


def main(file: str, out: str) -> None:
    with safe_open(file, framework="pt") as opened:
        header = json.loads(opened.metadata()["forger"])
        weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    recipe = header["recipe"]
    generator: dict[str, Any] = recipe["generator"]
    layouts: dict[str, Callable[[Weights, dict[str, Any], Tensor, Tensor | None], Tensor]] = {
        "mlp": mlp,
        "dcgan": dcgan,
    }
    if generator["kind"] not in layouts or recipe["data"]["kind"] != "images":
        sys.exit(f"No {recipe['data']['kind']} of {generator['kind']} here: take the format onnx or torch_export.")
    torch.manual_seed(0)
    latent, data = recipe["latent"], recipe["data"]
    z = torch.randn(N, latent["size"]) if latent["kind"] == "normal" else 2 * torch.rand(N, latent["size"]) - 1
    label = torch.arange(N) % data["classes"] if recipe["game"].get("conditional") else None
    examples = layouts[generator["kind"]](weights, recipe, latent["scale"] * z, label)
    save(examples.view(N, data["channels"], data["side"], data["side"]), out)


def mlp(weights: Weights, recipe: dict[str, Any], z: Tensor, label: Tensor | None) -> Tensor:
    """Compute the fully connected generator: the label follows the latent as a one-hot vector."""
    x = z if label is None else torch.cat([z, F.one_hot(label, recipe["data"]["classes"]).float()], 1)
    activations: dict[str, Callable[[Tensor], Tensor]] = {
        "relu": F.relu,
        "tanh": torch.tanh,
        "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    }
    numbers = sorted({int(name.split(".")[1]) for name in weights})
    linear = [number for number in numbers if f"layers.{number}.running_mean" not in weights]
    for number in numbers:
        layer = {name.split(".", 2)[2]: weights[name] for name in weights if name.startswith(f"layers.{number}.")}
        x = F.linear(x, layer["weight"], layer["bias"]) if number in linear else norm(layer, x)
        # Activations have no keys: they stand where a number is missing.
        if number != linear[-1] and number + 1 not in numbers:
            x = activations[recipe["generator"]["activation"]](x)
    return x.tanh()


def dcgan(weights: Weights, recipe: dict[str, Any], z: Tensor, label: Tensor | None) -> Tensor:
    """Compute DCGAN's generator, with or without classes."""
    x = z[:, :, None, None]
    for number in range(sum(name.startswith("rise.") and name.endswith("weight") for name in weights)):
        stride, padding = (1, 0) if number == 0 else (2, 1)
        x = F.conv_transpose2d(x, weights[f"rise.{number}.weight"], weights.get(f"rise.{number}.bias"), stride, padding)
        layer = {name.split(".", 2)[2]: weights[name] for name in weights if name.startswith(f"norms.{number}.")}
        if "gain.weight" in layer:
            x = F.batch_norm(x, layer["norm.running_mean"], layer["norm.running_var"])
            gain, bias = layer["gain.weight"][label], layer["bias.weight"][label]
            x = x * gain[..., None, None] + bias[..., None, None]
        elif layer:
            x = norm(layer, x)
        x = x.relu()
    if recipe["generator"]["refine"]:
        x = F.conv2d(x, weights["paint.weight"], weights["paint.bias"], padding=1)
    else:
        x = F.conv_transpose2d(x, weights["paint.weight"], weights.get("paint.bias"), 2, 1)
    return x.tanh()


def norm(layer: Weights, x: Tensor) -> Tensor:
    """Normalise by the stored statistics."""
    return F.batch_norm(x, layer["running_mean"], layer["running_var"], layer.get("weight"), layer.get("bias"))


def save(examples: Tensor, out: str) -> None:
    """Save pictures [n, channels, height, width] in [-1, 1] side by side."""
    row = torch.cat(list(examples), dim=2).permute(1, 2, 0)
    levels = ((row + 1) * 127.5).round().clamp(0, 255).byte().numpy()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
