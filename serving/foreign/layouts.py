"""Recognise the layout of a foreign state dict by its keys and shapes, and plan how it becomes one of our generators.

Three layouts are known: the ResNet and the U-Net generator of the widely used CycleGAN and pix2pix code, and the
generator of PyTorch's DCGAN example. Each computes the same as a generator of ours, up to the names of its weights, the
order of a U-Net's joined channels, and a ResNet's BatchNorm, which becomes part of the convolution before it. No torch.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count, pairwise, takewhile
from typing import Any

from pydantic import ValidationError

from data.errors import Refused
from models.spec.data import Images, Paired, Unpaired
from models.spec.datasets import UNKNOWN_DATASET
from models.spec.games import Paired as PairedGame
from models.spec.games import Unpaired as UnpairedGame
from models.spec.nets import DcganGenerator, ResnetGenerator, UnetGenerator
from models.spec.presets.dcgan import dcgan
from models.spec.presets.translation import cyclegan, pix2pix
from models.spec.recipe import Recipe
from models.spec.training import Latent

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
CODE = "unknown_layout"
WRAPPERS = ("module.", "_orig_mod.")
"""what DataParallel and torch.compile put before every key"""
STATISTICS = ("running_mean", "running_var")
COUNTER = "num_batches_tracked"
MAX_DEPTH = 8
PICTURE_CHANNELS = (1, 3)
_BLOCK = re.compile(r"model\.(\d{2,3})\.conv_block\.")
_KNOWN = (
    "an export of Forger, the generator of CycleGAN or pix2pix (keys model.1.weight ... or model.model.0.weight ...), "
    "or that of PyTorch's DCGAN example (main.0.weight ...)"
)
_RUNNING = (
    "BatchNorm uses the file's running statistics, and dropout is off: the same picture gives the same result. "
    "Code that translates in training mode gives other pictures."
)


@dataclass(frozen=True)
class Convolution:
    """A convolution of a file, the norm after it, and the keys that they have in our generator."""

    theirs: str
    ours: str
    shape: Shape
    transposed: bool = False
    bias: bool = False
    norm: str | None = None
    """key of the norm in the file; None without one"""
    our_norm: str | None = None
    """key of the norm in our generator; None: a BatchNorm becomes part of the convolution"""
    swapped: bool = False
    """whether its input is [skip, deeper] in the file, and [deeper, skip] in ours"""

    @property
    def width(self) -> int:
        """Number of output channels."""
        return self.shape[1 if self.transposed else 0]


@dataclass(frozen=True)
class Plan:
    """A recognised file: its layout, the recipe of our generator, and what becomes of each weight."""

    layout: str
    recipe: Recipe
    batch_norm: bool
    convolutions: tuple[Convolution, ...]
    notes: tuple[str, ...] = ()

    def expected(self) -> dict[str, Shape]:
        """Return the shape of every key that the file must have."""
        shapes: dict[str, Shape] = {}
        for layer in self.convolutions:
            shapes[f"{layer.theirs}.weight"] = layer.shape
            if layer.bias:
                shapes[f"{layer.theirs}.bias"] = (layer.width,)
            if self.batch_norm and layer.norm:
                shapes |= {f"{layer.norm}.{name}": (layer.width,) for name in ("weight", "bias", *STATISTICS)}
        return shapes

    def ignored(self) -> set[str]:
        """Return the keys that the file may have and that change nothing: counters, InstanceNorm's old statistics."""
        names = (COUNTER,) if self.batch_norm else (COUNTER, *STATISTICS)
        return {f"{layer.norm}.{name}" for layer in self.convolutions if layer.norm for name in names}


def both_ways(a2b: Plan, b2a: Plan) -> Recipe:
    """Return the recipe of a translator both ways. Raises Refused, which points at the second file, if they differ."""
    first, second = a2b.recipe, b2a.recipe
    if not isinstance(first.generator, ResnetGenerator) or not isinstance(second.generator, ResnetGenerator):
        sentence = f"Only CycleGAN's generators make a model that translates both ways, and these are {a2b.layout}"
        raise Refused(f"{sentence} and {b2a.layout}: import each by itself.", CODE, "/b2a")
    if first.input_channels != first.shape[0]:
        sentence = (
            f"It makes {first.shape[0]} channels of {first.input_channels}, and a model that translates both ways"
        )
        raise Refused(f"{sentence} has as many on both sides: import each file by itself.", CODE, "/b2a")
    facts = [{"channels": each.shape[0], "channels of its input": each.input_channels,
              **each.generator.model_dump()} for each in (first, second)]  # fmt: skip
    for name, fact in facts[0].items():
        if facts[1][name] != fact:
            sentence = f"The two generators differ: {name} is {fact} in `file` and {facts[1][name]} in `b2a`."
            raise Refused(f"{sentence} Import each by itself.", CODE, "/b2a")
    data = _checked(Unpaired, dataset=UNKNOWN_DATASET, side=first.shape[1], channels=first.shape[0])
    return _recipe(data, cyclegan(data) | {"game": UnpairedGame(), "generator": first.generator})


def unwrapped(keys: Iterable[str]) -> dict[str, str]:
    """Return by each key its name without the prefixes that wrappers put before all keys."""
    names = {key: key for key in keys}
    while names and (prefix := next((p for p in WRAPPERS if all(n.startswith(p) for n in names.values())), None)):
        names = {key: name.removeprefix(prefix) for key, name in names.items()}
    return names


def recognise(shapes: Shapes) -> Plan:
    """Return the plan of a file. Raises Refused, with the key and shape that disagree, if it has no known layout."""
    _refuse_forks(shapes)
    if any(".conv_block." in key for key in shapes) or shapes.get("model.1.weight", ())[2:] == (7, 7):
        plan = _resnet(shapes)
    elif "model.model.0.weight" in shapes:
        plan = _unet(shapes)
    elif "main.0.weight" in shapes:
        plan = _dcgan(shapes)
    else:
        first = ", ".join(f"'{key[:60]}' {list(shape)}" for key, shape in list(shapes.items())[:3])
        raise _refused(f"No layout with these keys is known here: {first or 'none at all'}. Send {_KNOWN}.")
    require_shapes(plan.expected(), shapes, plan.ignored(), f"the layout {plan.layout}")
    return plan


def require_shapes(expected: Shapes, actual: Shapes, ignored: set[str], what: str) -> None:
    """Raise Refused, with the first key and shape that disagree, unless the file has the expected keys and shapes."""
    for key, shape in expected.items():
        if key not in actual:
            raise _refused(f"'{key}' is missing: {what} has it with the shape {list(shape)}.")
        if actual[key] != shape:
            raise _refused(f"'{key}' has the shape {list(actual[key])}, and in {what} it is {list(shape)}.")
    if more := sorted(set(actual) - set(expected) - ignored):
        raise _refused(f"'{more[0][:120]}' {list(actual[more[0]])} has no place in {what}.")


def _refuse_forks(shapes: Shapes) -> None:
    """Raise Refused, with its name, for a file of a near relative that computes something else."""
    if blurred := next((key for key in shapes if key.endswith((".filt", ".shift"))), None):
        raise _refused(
            f"'{blurred}' belongs to a fork that blurs before it changes the size (as CUT does). It computes something "
            "else than CycleGAN's generator, and Forger has no such network."
        )
    if "main.2.weight" in shapes:
        raise _refused("This is the DCGAN example's discriminator, which draws nothing: send the generator's file.")
    if shapes.get("model.0.weight", ())[2:] == (4, 4):
        raise _refused("This is a PatchGAN discriminator, which makes no pictures: send the generator's file, net_G.")


def _resnet(shapes: Shapes) -> Plan:
    width, before = _of(shapes, "model.1.weight", 4)[:2]
    found = {int(match[1]) for key in shapes if (match := _BLOCK.match(key))}
    blocks = max(found, default=9) - 9
    dropout = len(shapes.get("model.10.conv_block.6.weight", ())) == 4
    batch = "model.2.weight" in shapes
    last = 10 + blocks
    _refuse_resized(shapes, last, width)
    after = _of(shapes, f"model.{last + 7}.weight", 4)[0]
    fields = {"width": width, "blocks": blocks, "norm": "none" if batch else "instance"}
    recipe = _translator(ResnetGenerator, fields, 256 if blocks > 6 else 128, before, after)
    second = 6 if dropout else 5

    def layer(theirs: str, shape: Shape, *, ours: str = "", norm: str, transposed: bool = False) -> Convolution:
        return Convolution(theirs, ours or theirs, shape, transposed, not batch, norm)

    w = width
    layers = [
        layer("model.1", (w, before, 7, 7), norm="model.2"),
        layer("model.4", (2 * w, w, 3, 3), norm="model.5"),
        layer("model.7", (4 * w, 2 * w, 3, 3), norm="model.8"),
    ]
    for n in range(10, last):
        block = f"model.{n}.conv_block"
        square = (4 * w, 4 * w, 3, 3)
        layers += [
            layer(f"{block}.1", square, norm=f"{block}.2"),
            layer(f"{block}.{second}", square, ours=f"{block}.5", norm=f"{block}.{second + 1}"),
        ]
    layers += [
        layer(f"model.{last}", (4 * w, 2 * w, 3, 3), norm=f"model.{last + 1}", transposed=True),
        layer(f"model.{last + 3}", (2 * w, w, 3, 3), norm=f"model.{last + 4}", transposed=True),
        Convolution(f"model.{last + 7}", f"model.{last + 7}", (after, w, 7, 7), bias=True),
    ]
    return Plan("cyclegan_resnet", recipe, batch, tuple(layers), (_RUNNING,) if batch else ())


def _refuse_resized(shapes: Shapes, last: int, width: int) -> None:
    """Raise Refused for a ResNet that enlarges and then convolves, where CycleGAN's has transposed convolutions."""
    for index in range(last, last + 3):
        shape = shapes.get(f"model.{index}.weight", ())
        if len(shape) == 4 and (index > last or shape[0] != 4 * width):
            raise _refused(
                f"'model.{index}.weight' {list(shape)} belongs to a resize-convolution fork (enlarge, then convolve). "
                f"CycleGAN's generator has a transposed convolution there: 'model.{last}.weight' "
                f"{[4 * width, 2 * width, 3, 3]}."
            )


def _unet(shapes: Shapes) -> Plan:
    prefixes = ["model.model.", "model.model.1.model."]
    while any(key.startswith(f"{prefixes[-1]}3.model.") for key in shapes):
        prefixes.append(f"{prefixes[-1]}3.model.")
        if len(prefixes) > MAX_DEPTH:
            raise _refused(
                f"'{prefixes[-1]}' is level {len(prefixes)} of the U-Net: Forger's have at most {MAX_DEPTH}."
            )
    depth, inner = len(prefixes), prefixes[-1]
    width, before = _of(shapes, "model.model.0.weight", 4)[:2]
    after = _of(shapes, "model.model.3.weight", 4)[1]
    batch = f"{inner}4.weight" in shapes
    widths = [width * min(2**level, 8) for level in range(depth)]
    layers = [Convolution("model.model.0", "down.0.0", (width, before, 4, 4), bias=not batch)]
    for level, prefix in enumerate(prefixes[1:], 1):
        innermost = level == depth - 1
        up, norm = (3, 4) if innermost else (5, 6)
        number = depth - 1 - level
        narrow, wide = widths[level - 1], widths[level]
        layers += [
            Convolution(
                f"{prefix}1", f"down.{level}.1", (wide, narrow, 4, 4), bias=not batch,
                norm=None if innermost else f"{prefix}2", our_norm=f"down.{level}.2",
            ),
            Convolution(
                f"{prefix}{up}", f"up.{number}.1", (wide * (1 if innermost else 2), narrow, 4, 4), transposed=True,
                bias=not batch, norm=f"{prefix}{norm}", our_norm=f"up.{number}.2", swapped=not innermost,
            ),
        ]  # fmt: skip
    layers.append(
        Convolution("model.model.3", "paint.1", (2 * width, after, 4, 4), transposed=True, bias=True, swapped=True)
    )
    fields = {"width": width, "depth": depth, "norm": "batch" if batch else "instance"}
    recipe = _translator(UnetGenerator, fields, max(32, 2**depth), before, after)
    return Plan("pix2pix_unet", recipe, batch, tuple(layers), (_RUNNING,) if batch else ())


def _dcgan(shapes: Shapes) -> Plan:
    number = len(list(takewhile(lambda n: f"main.{3 * n}.weight" in shapes, count())))
    latent = _of(shapes, "main.0.weight", 4)[0]
    width, channels = _of(shapes, f"main.{3 * (number - 1)}.weight", 4)[:2]
    if not 2 <= number <= MAX_DEPTH:
        raise _refused(f"The DCGAN example has 5 transposed convolutions, at most {MAX_DEPTH} are read: here {number}.")
    _require_picture(channels)
    widths = [latent, *(width * 2**n for n in reversed(range(number - 1)))]
    layers = [
        Convolution(
            f"main.{3 * n}", f"rise.{n}", (before, after, 4, 4), transposed=True,
            norm=f"main.{3 * n + 1}", our_norm=f"norms.{n}",
        )
        for n, (before, after) in enumerate(pairwise(widths))
    ]  # fmt: skip
    layers.append(Convolution(f"main.{3 * (number - 1)}", "paint", (width, channels, 4, 4), transposed=True))
    side = 4 * 2 ** (number - 1)
    data = _checked(Images, dataset=UNKNOWN_DATASET, side=side, channels=channels)
    generator = _checked(DcganGenerator, width=width)
    changes = {"generator": generator, "latent": _checked(Latent, size=latent)}
    return Plan("dcgan", _recipe(data, dcgan(data) | changes), True, tuple(layers))


def _translator(kind: Any, fields: Mapping[str, Any], side: int, before: int, after: int) -> Recipe:
    """Return the recipe of a translator one way, with pix2pix's settings where the file says nothing.

    Its pictures have `before` channels, and those that it makes have `after`.
    """
    for channels in (before, after):
        _require_picture(channels)
    different = {"input_channels": before} if before != after else {}
    data = _checked(Paired, dataset=UNKNOWN_DATASET, side=side, channels=after, **different)
    return _recipe(data, pix2pix(data) | {"game": PairedGame(), "generator": _checked(kind, **fields)})


def _recipe(data: Images | Paired | Unpaired, fields: Mapping[str, Any]) -> Recipe:
    intervals = {"checkpoint_every": 1, "report_every": 1}
    recipe: Recipe = _checked(Recipe, **{**fields, "seed": 0, "data": data, "precision": "fp32", **intervals})
    return recipe


def _checked(kind: Any, **fields: Any) -> Any:
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the recipe"
        raise _refused(f"Forger cannot build this network. {place}: {first['msg']}.") from None


def _of(shapes: Shapes, key: str, dimensions: int) -> Shape:
    """Return the shape of a key that says how large the network is. Raises Refused."""
    shape = shapes.get(key)
    if shape is None:
        raise _refused(f"'{key}' is missing: it says how wide the network is.")
    if len(shape) != dimensions or not min(shape):
        raise _refused(f"'{key}' has the shape {list(shape)}: a convolution has {dimensions} sizes above 0.")
    return shape


def _require_picture(channels: int) -> None:
    if channels not in PICTURE_CHANNELS:
        raise _refused(f"Pictures have 1 channel (grey) or 3 (RGB), and those of this network have {channels}.")


def _refused(sentence: str) -> Refused:
    return Refused(sentence, CODE)
