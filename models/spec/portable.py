"""Describe the programs of a model outside Forger: their inputs and outputs, and which format can hold them."""

from dataclasses import dataclass
from typing import Literal, assert_never

from models.spec.data import Points, Sequences
from models.spec.datasets import UNKNOWN_DATASET
from models.spec.nets import MIN_TRANSLATED_SIDE, DcganAutoencoder, MlpAutoencoder
from models.spec.recipe import Recipe

PortableFormat = Literal["safetensors", "onnx", "torch_export"]
SUFFIXES: dict[PortableFormat, str] = {"safetensors": ".safetensors", "onnx": ".onnx", "torch_export": ".pt2"}
"""endings of the files of each format"""
SAFETENSORS_STEM = "weights"
"""name, without its ending, of the one file that holds the weights of all networks as safetensors"""
MAX_ONNX_BYTES = 2_000_000_000
"""most bytes of weights in an ONNX file: its encoding, protobuf, ends at 2 GiB"""
PARITY_INPUTS = 64
"""number of fixed inputs on which an exported program is compared with the network that Forger serves"""


@dataclass(frozen=True)
class Port:
    """An input or output of a program; sizes that may vary are names: batch, height, width."""

    name: str
    dtype: Literal["float32", "int64"]
    shape: tuple[int | str, ...]
    meaning: str


@dataclass(frozen=True)
class Program:
    """A function that an exported file computes. `name` is its file's, without the ending."""

    name: str
    inputs: tuple[Port, ...]
    output: Port


def programs(recipe: Recipe) -> tuple[Program, ...]:
    """Return the programs of a recipe's model: what it generates, translates, encodes or decodes."""
    if recipe.game.kind == "unpaired":
        return _translator(recipe, "a2b"), _translator(recipe, "b2a")
    if recipe.translates:
        return (_translator(recipe, "translator"),)
    generator = Program("generator" if recipe.generates else "decoder", _latent_ports(recipe), _examples(recipe))
    if not isinstance(recipe.generator, MlpAutoencoder | DcganAutoencoder):
        return (generator,)
    return generator, Program("encoder", (_examples(recipe),), _code(recipe))


def refusal(format_: PortableFormat, weights_bytes: int) -> str | None:
    """Return why the format cannot hold a model with so many bytes of weights; None if it can."""
    if format_ == "onnx" and weights_bytes > MAX_ONNX_BYTES:
        return (
            f"ONNX files end at 2 GiB, and this model has {weights_bytes:,} bytes of weights: "
            "take safetensors or torch_export."
        )
    return None


def limits(recipe: Recipe) -> list[str]:
    """Return sentences on where the programs of a recipe's model end, and where they differ from Forger's replies."""
    known = recipe.data.dataset != UNKNOWN_DATASET
    learned = f"It learned from `{recipe.data.dataset}` alone" if known else "Its file does not name its training data"
    sentences = [
        f"{learned}: it knows nothing else, and repeats the biases of that data.",
        "It computes in 32-bit floating point, without training: dropout is off, batch norms use stored statistics.",
    ]
    if recipe.translates:
        sentences += _translator_limits(recipe)
    else:
        sentences.append("The number of examples in a batch is free; their size is fixed.")
    if recipe.generates:
        sentences.append(
            "GET /sample draws a latent from seed and number and multiplies it by the temperature; here you draw it."
        )
    return sentences


def _translator_limits(recipe: Recipe) -> list[str]:
    multiple, shortest = recipe.side_multiple, _shortest_side(recipe)
    sides = f"Sides of input pictures are at least {shortest} pixels" + (
        f" and divisible by {multiple}: pad others by reflection, as POST /translate does, and crop the result."
        if multiple > 1
        else "."
    )
    sentences = [sides, "POST /translate computes large pictures in tiles; here a picture goes through whole."]
    if getattr(recipe.generator, "dropout", 0):
        sentences.append(
            "The dropout of pix2pix is off, as in POST /translate: equal inputs give equal outputs. The paper leaves "
            "it on as a source of noise."
        )
    return sentences


def _shortest_side(recipe: Recipe) -> int:
    multiple = recipe.side_multiple
    return -(-MIN_TRANSLATED_SIDE // multiple) * multiple


def _latent_ports(recipe: Recipe) -> tuple[Port, ...]:
    latent = recipe.latent
    spread = "normal" if latent.kind == "normal" else "uniform in [-1, 1]"
    z = Port("z", "float32", ("batch", latent.size), f"latents: {spread}, times {latent.scale:g}")
    if not recipe.class_conditional:
        return (z,)
    return z, Port("label", "int64", ("batch",), f"classes, from 0 to {recipe.classes - 1}")


def _examples(recipe: Recipe) -> Port:
    shape: tuple[int | str, ...] = ("batch", *recipe.shape)
    match recipe.data:
        case Points():
            return Port("examples", "float32", shape, "points")
        case Sequences():
            return Port("examples", "float32", shape, "strings: at each position 1 at the symbol's number, else 0")
        case _:
            return Port("examples", "float32", shape, f"pictures: {_pixels(recipe.shape[0])}")


def _code(recipe: Recipe) -> Port:
    size = recipe.latent.size
    if recipe.gaussian:
        return Port("code", "float32", ("batch", 2 * size), f"{size} means, then {size} log variances of the latent")
    return Port("code", "float32", ("batch", size), "latents")


def _translator(recipe: Recipe, name: str) -> Program:
    factor, channels = recipe.upscaling, recipe.shape[0]
    picture = Port("picture", "float32", ("batch", channels, "height", "width"), _pixels(channels))
    hole = Port("hole", "float32", ("batch", 1, "height", "width"), "1 where the picture is to be filled, else 0")
    sides: tuple[int | str, ...] = ("height", "width") if factor == 1 else (f"{factor}*height", f"{factor}*width")
    result = Port("translation", "float32", ("batch", channels, *sides), _pixels(channels))
    return Program(name, (picture, hole) if recipe.fills_holes else (picture,), result)


def _pixels(channels: int) -> str:
    match channels:
        case 1:
            order = "grey"
        case 3:
            order = "red, green, blue"
        case _:
            order = f"{channels} channels"
    return f"{order}; -1 is black, 1 is white: (level / 127.5) - 1"


def suffix(format_: PortableFormat) -> str:
    """Return the ending of a file of the format."""
    return SUFFIXES[format_]


def file_names(recipe: Recipe, format_: PortableFormat) -> tuple[str, ...]:
    """Return the names of the files that hold the programs in a format."""
    match format_:
        case "safetensors":
            return (SAFETENSORS_STEM + SUFFIXES[format_],)
        case "onnx" | "torch_export":
            return tuple(program.name + SUFFIXES[format_] for program in programs(recipe))
        case _:
            assert_never(format_)
