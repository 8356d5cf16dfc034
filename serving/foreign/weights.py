"""Read a file of weights, and turn a foreign state dict into that of one of our generators. It needs torch."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from data.errors import Refused, WrongMedia
from models.build import build_generator
from models.spec.estimates.generator_sizes import generator_size
from models.spec.recipe import Recipe
from serving.foreign.layouts import COUNTER, STATISTICS, Convolution, Plan, require_shapes, unwrapped

Weights = dict[str, Tensor]
CODE = "unreadable_weights"
BATCH_NORM_EPS = 1e-5
HOLDERS = ("params_ema", "params", "state_dict", "netG", "model")
"""keys under which training checkpoints hold the generator's state dict; an average of weights comes first"""
_FORBIDDEN = re.compile(r"(?:GLOBAL|Unsupported class|Unsupported global:?)\s+(?:GLOBAL\s+)?([\w.]+)")


def is_safetensors(path: Path) -> bool:
    """Return whether the file is safetensors, by its first bytes. Raises WrongMedia if it is no file of weights."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[8:9] == b"{":
        return True
    if head[:2] == b"PK" or head[:1] == b"\x80":
        return False
    raise WrongMedia("This is no file of weights: send a safetensors file, or a .pth that torch.save wrote.")


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file. Raises Refused."""
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, ValueError, OSError) as error:
        raise Refused(f"The safetensors file cannot be read: {error}", CODE) from error


def read_weights(path: Path) -> tuple[Weights, str | None]:
    """Return the tensors of a safetensors file or a .pth by key, without wrappers' prefixes, and their holder.

    The holder is the key of a training checkpoint that holds them; None if the file holds nothing else. Raises Refused.
    """
    weights, holder = (_read_safetensors(path), None) if is_safetensors(path) else _read_pth(path)
    _require_plausible(weights, path.stat().st_size)
    return {name: weights[key] for key, name in unwrapped(weights).items()}, holder


def require_finite(weights: Weights) -> None:
    """Raise Refused for the first tensor with a NaN or an infinite number."""
    for key, tensor in weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise Refused(f"'{key}' has numbers that are not finite: the training diverged.", "not_finite")


def generators(recipe: Recipe) -> int:
    """Return how many generators an export of the recipe has: one for each direction in the unpaired game."""
    return 2 if recipe.game.kind == "unpaired" else 1


def require_export(recipe: Recipe, weights: Weights) -> None:
    """Raise Refused unless the weights are a finite state dict of the recipe's generator."""
    size = generator_size(recipe)
    needed = (size.weights + size.buffers) * generators(recipe)
    # A header may name a network that is far larger than its file: it is not built.
    if needed > (held := sum(tensor.numel() for tensor in weights.values())):
        raise Refused(f"The export's recipe needs {needed} weights, and the file has {held}.", "unusable_export")
    expected = build_generator(recipe).state_dict()
    shapes, actual = ({key: tuple(tensor.shape) for key, tensor in each.items()} for each in (expected, weights))
    require_shapes(shapes, actual, set(), "the network of the export's recipe")
    for key, tensor in weights.items():
        if tensor.dtype != expected[key].dtype:
            raise Refused(f"'{key}' is {tensor.dtype}, and exports have {expected[key].dtype} there.", CODE)
    require_finite(weights)


def converted(plan: Plan, weights: Weights) -> Weights:
    """Return the state dict of the plan's generator, float32."""
    ours: Weights = {}
    for layer in plan.convolutions:
        ours |= _convolution(layer, weights, plan.batch_norm)
    return ours


def _convolution(layer: Convolution, weights: Weights, batch_norm: bool) -> Weights:
    weight = weights[f"{layer.theirs}.weight"].float()
    if layer.swapped:
        skip, deeper = weight.chunk(2)
        weight = torch.cat([deeper, skip])
    ours = {f"{layer.ours}.weight": weight}
    if layer.bias:
        ours[f"{layer.ours}.bias"] = weights[f"{layer.theirs}.bias"].float()
    if layer.norm is None or not batch_norm:
        return ours
    norm = {name: weights[f"{layer.norm}.{name}"].float() for name in ("weight", "bias", *STATISTICS)}
    if layer.our_norm is None:
        return _fused(layer, weight, norm)
    counter = weights.get(f"{layer.norm}.{COUNTER}", torch.tensor(0))
    return ours | {f"{layer.our_norm}.{name}": tensor for name, tensor in (norm | {COUNTER: counter.long()}).items()}


def _fused(layer: Convolution, weight: Tensor, norm: Weights) -> Weights:
    """Return a convolution without bias that also does what BatchNorm does after it in eval mode."""
    gain = norm["weight"].double() / (norm["running_var"].double() + BATCH_NORM_EPS).sqrt()
    bias = norm["bias"].double() - norm["running_mean"].double() * gain
    shape = (1, -1, 1, 1) if layer.transposed else (-1, 1, 1, 1)
    fused = weight.double() * gain.reshape(shape)
    return {f"{layer.ours}.weight": fused.float(), f"{layer.ours}.bias": bias.float()}


def _read_safetensors(path: Path) -> Weights:
    read_metadata(path)
    with safe_open(path, framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _read_pth(path: Path) -> tuple[Weights, str | None]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # whatever the unpickler says about a damaged or hostile file
        raise Refused(_why_unread(error), CODE) from error
    if not isinstance(loaded, dict):
        raise Refused(f"The file holds a {type(loaded).__name__}. {_SAVE_HINT}", CODE)
    holder = next((key for key in HOLDERS if isinstance(loaded.get(key), Mapping)), None)
    weights = dict(loaded if holder is None else loaded[holder])
    for key, value in weights.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            held = f"'{str(key)[:80]}' is a {type(value).__name__} and no tensor"
            raise Refused(f"This is no state dict of one generator: {held}. {_SAVE_HINT}", CODE)
    return weights, holder


_SAVE_HINT = "Save the generator's weights alone: torch.save(generator.state_dict(), 'generator.pth')."


def _why_unread(error: Exception) -> str:
    text = str(error)
    if isinstance(error, pickle.UnpicklingError) and (found := _FORBIDDEN.search(text)):
        return f"The file holds more than weights ({found[1][:80]}), and running it is not safe. {_SAVE_HINT}"
    if "TorchScript" in text:
        return f"The file is a TorchScript program, and programs of others are not run. {_SAVE_HINT}"
    return f"The file cannot be read as one that torch.save wrote; it may be damaged. {_SAVE_HINT}"


def _require_plausible(weights: Weights, size: int) -> None:
    """Raise Refused unless all are dense numbers that the file really holds."""
    for key, tensor in weights.items():
        dense = tensor.layout is torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not dense or not (tensor.is_floating_point() or key.endswith(COUNTER)):
            kind = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
            raise Refused(f"'{key[:120]}' is {kind}: weights are dense floating-point numbers.", CODE)
    if (claimed := sum(tensor.numel() * tensor.element_size() for tensor in weights.values())) > size:
        raise Refused(f"The file has {size} bytes and claims {claimed} bytes of weights: save the model again.", CODE)
