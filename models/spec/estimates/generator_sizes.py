"""The size of each generator of models/nets, counted from its spec without building it."""

import math
from itertools import pairwise
from typing import assert_never

from models.spec import nets
from models.spec.estimates.network_size import (
    Size,
    alternatives,
    attention,
    batch_norm,
    conditional_norm,
    conv,
    embedding,
    linear,
    maps,
    mlp,
    spectral,
    total,
    transient,
    vector_norm,
)
from models.spec.nets import halvings, widths
from models.spec.recipe import Recipe


def generator_size(recipe: Recipe) -> Size:
    """Return the size of one generator; the unpaired game has two."""
    spec, latent, form = recipe.generator, recipe.latent.size, recipe.shape
    match spec:
        case nets.MlpGenerator():
            inputs = latent + recipe.classes
            return mlp(inputs, spec.hidden, math.prod(form), norm=spec.norm == "batch", dropout=spec.dropout > 0)
        case nets.DcganGenerator():
            return _dcgan_generator(spec, latent, form, recipe.classes)
        case nets.ResidualGenerator():
            return _residual_generator(spec, latent, form, recipe.classes)
        case nets.ProgressiveGenerator():
            return _progressive_generator(spec, latent, form)
        case nets.StackedGenerator():
            return _stacked_generator(spec, latent, form, recipe.classes)
        case nets.MlpAutoencoder():
            return _mlp_autoencoder(spec, latent, math.prod(form), latent * (1 + recipe.gaussian))
        case nets.DcganAutoencoder():
            return _dcgan_autoencoder(spec, latent, form, latent * (1 + recipe.gaussian))
        case nets.SequenceGenerator():
            return _sequence_generator(spec, latent, form)
        case nets.ResnetGenerator():
            return _resnet(spec, recipe.input_channels, form)
        case nets.UnetGenerator():
            return _unet(spec, recipe.input_channels, form)
        case nets.SrresnetGenerator():
            return _srresnet(spec, recipe.upscaling, form)
        case _:
            assert_never(spec)


def _mlp_autoencoder(spec: nets.MlpAutoencoder, latent: int, data: int, code: int) -> Size:
    wide = [latent, *spec.hidden, data]
    ways = (wide, [*wide[:0:-1], code])
    return maps(data) + total(linear(*pair) + maps(pair[1]) for way in ways for pair in pairwise(way))


def _norm(kind: str, channels: int, classes: int, side: int) -> Size:
    """Return the size of a norm, conditional if there are classes."""
    if kind == "none":
        return Size()
    return conditional_norm(channels, classes, side) if classes else batch_norm(channels)


def _dcgan_generator(spec: nets.DcganGenerator, latent: int, form: tuple[int, ...], classes: int) -> Size:
    channels, side, _ = form
    sides, bias = halvings(side), spec.norm == "none"
    doublings = len(sides) - 1
    wide = [spec.width * 2 ** (doublings - i - (not spec.refine)) for i in range(doublings + spec.refine)]
    size = conv(latent, wide[0], sides[0], 1, bias=bias)
    for number, after in enumerate(wide):
        if number:
            before, input_side = wide[number - 1], sides[number - 1]
            size += conv(before, after, _kernel(sides[number]), sides[number], bias=bias, input_side=input_side)
        size += maps(after, sides[number], times=2 if number == 0 else 1)
        size += _norm(spec.norm, after, classes, sides[number])
    if spec.refine:
        return size + conv(wide[-1], channels, 3, side)
    return size + conv(wide[-1], channels, _kernel(side), side, bias=bias, input_side=sides[-2])


def _kernel(side: int) -> int:
    """Return the kernel size of a doubling to this side."""
    return 3 if side % 2 else 4


def _residual_generator(spec: nets.ResidualGenerator, latent: int, form: tuple[int, ...], classes: int) -> Size:
    channels, side, _ = form
    sides = halvings(side)
    wide, steps = widths(spec.width, sides), len(sides) - 1
    chunks = [(latent + index) // (steps + 1) for index in reversed(range(steps + 1))]
    first = chunks[0] if spec.hierarchical else latent
    size = maps(latent) + linear(first, wide[0] * sides[0] ** 2)
    size += Size(weights=classes * nets.CLASS_EMBEDDING) if spec.hierarchical else Size()
    for number in range(steps):
        condition = nets.CLASS_EMBEDDING + chunks[number + 1] if spec.hierarchical else 0
        size += _up_block(spec, wide[number], wide[number + 1], sides[number], sides[number + 1], classes, condition)
    size += attention(wide[-2], sides[-2]) if spec.attention else Size()
    size += (batch_norm(wide[-1]) if spec.norm == "batch" else Size()) + maps(wide[-1], side)
    size += conv(wide[-1], channels, 3, side)
    return spectral(size) if spec.spectral else size


def _up_block(
    spec: nets.ResidualGenerator, before: int, after: int, side: int, target: int, classes: int, condition: int
) -> Size:
    norms = Size()
    for channels, at in ((before, side), (after, target)):
        norms += (
            vector_norm(channels, condition, at)
            if condition and spec.norm == "batch"
            else _norm(spec.norm, channels, classes, at)
        )
    shortcut = conv(before, after, 1, side, bias=False) if before != after else Size()
    # Saved maps: both ReLUs, the upsampled map, both convolutions, and the sum with the shortcut.
    branch = maps(before, side) + maps(before, target) + conv(before, after, 3, target) + maps(after, target)
    return norms + branch + conv(after, after, 3, target) + shortcut + transient(after, target)


def _progressive_generator(spec: nets.ProgressiveGenerator, latent: int, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    sides = halvings(side)
    wide = widths(spec.width, sides)
    size = maps(latent, times=2) + linear(latent, wide[0] * sides[0] ** 2) + maps(wide[0], sides[0], times=3)
    for number, (before, after) in enumerate(zip([wide[0], *wide], wide, strict=False)):
        at = sides[number]
        size += maps(before, at) if number else Size()  # the upsampled map
        size += conv(before, after, 3, at) + maps(after, at, times=2) if number else Size()
        size += conv(after, after, 3, at) + maps(after, at, times=2)
        size += Size(weights=after * channels * 9 + channels)
    return size + maps(channels, side, times=4) + Size(recomputed=size.weights)


def _stacked_generator(spec: nets.StackedGenerator, latent: int, form: tuple[int, ...], classes: int) -> Size:
    channels, side, _ = form
    condition = total(embedding(classes, spec.condition) for _ in range(4))
    half = -(-side // 2)
    sketch = _sketch(spec.width, latent, half, channels) + maps(channels, side)
    return condition + alternatives(sketch, _redraw(spec.width, spec.condition, side, channels))


def _convolve(before: int, after: int, side: int) -> Size:
    """Return the size of a convolution, BatchNorm and ReLU."""
    return conv(before, after, 3, side, bias=False) + batch_norm(after) + maps(after, side)


def _sketch(width: int, size: int, side: int, channels: int) -> Size:
    sides = halvings(side)
    wide = widths(width, sides) if len(sides) > 1 else [2 * width]
    total_size = linear(size, wide[0] * sides[0] ** 2) + batch_norm(wide[0]) + maps(wide[0], sides[0])
    for number, (before, after) in enumerate(pairwise(wide), start=1):
        total_size += maps(before, sides[number]) + _convolve(before, after, sides[number])
    return total_size + _convolve(wide[-1], wide[-1], side) + conv(wide[-1], channels, 3, side)


def _redraw(width: int, size: int, side: int, channels: int) -> Size:
    half, wide = -(-side // 2), 2 * width
    total_size = conv(channels, wide, 3, half) + maps(wide, half) + maps(wide + size, half)
    total_size += _convolve(wide + size, wide, half)
    for _ in range(2):
        total_size += _convolve(wide, wide, half) + conv(wide, wide, 3, half, bias=False) + batch_norm(wide)
        total_size += maps(wide, half)
    return total_size + maps(wide, side) + _convolve(wide, width, side) + conv(width, channels, 3, side)


def _dcgan_autoencoder(spec: nets.DcganAutoencoder, latent: int, form: tuple[int, ...], code: int) -> Size:
    channels, side, _ = form
    size = _dcgan_generator(nets.DcganGenerator(width=spec.width, norm=spec.norm), latent, form, 0)
    width, bias = channels, spec.norm == "none"
    for depth in range(len(halvings(side)) - 1):
        after, side = spec.width * 2**depth, side // 2
        size += conv(width, after, 4, side, bias=bias) + maps(after, side)
        size += batch_norm(after) if spec.norm == "batch" else Size()
        width = after
    return size + conv(width, code, side, 1)


def _sequence_generator(spec: nets.SequenceGenerator, latent: int, form: tuple[int, ...]) -> Size:
    length, symbols = form
    code = latent - length * symbols
    cell = 3 * spec.width * (code + symbols + spec.width) + 6 * spec.width
    size = Size(weights=cell) + linear(code, spec.width) + Size(weights=spec.width * symbols + symbols)
    # Layers of a step: gates, output layer and symbol choice.
    step = Size(products=cell + spec.width * symbols, layers=9)
    step += maps(code + symbols) + maps(spec.width, times=9) + maps(symbols, times=6)
    return size + total(step for _ in range(length)) + maps(latent, times=3)


def _resnet(spec: nets.ResnetGenerator, input_channels: int, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    wide, half, quarter = spec.width, side // 2, side // 4
    size = maps(input_channels, side + 6) + conv(input_channels, wide, 7, side) + maps(wide, side)
    size += conv(wide, 2 * wide, 3, half) + maps(2 * wide, half)
    size += conv(2 * wide, 4 * wide, 3, quarter) + maps(4 * wide, quarter)
    padded = maps(4 * wide, quarter + 2)
    block = total((padded, conv(4 * wide, 4 * wide, 3, quarter), maps(4 * wide, quarter), padded,
                   conv(4 * wide, 4 * wide, 3, quarter), maps(4 * wide, quarter)))  # fmt: skip
    size += total(block for _ in range(spec.blocks))
    nearest = spec.upsample == "nearest"
    for before, after, at in ((4 * wide, 2 * wide, half), (2 * wide, wide, side)):
        size += maps(before, at) if nearest else Size()
        size += conv(before, after, 3, at, input_side=None if nearest else at // 2) + maps(after, at)
        size += maps(after, at) if spec.skips else Size()
    return size + maps(wide, side + 6) + conv(wide, channels, 7, side)


def _unet(spec: nets.UnetGenerator, input_channels: int, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    wide = [spec.width * min(2**level, 8) for level in range(spec.depth)]
    size, last, bias = maps(input_channels, side), spec.depth - 1, spec.norm != "batch"
    for level, (before, after) in enumerate(pairwise([input_channels, *wide])):
        at = side >> (level + 1)
        size += conv(before, after, 4, at, bias=bias) + maps(after, at)  # convolution and activation
        size += _map_norm(spec.norm, after, at) if 0 < level < last else Size()
    for level in range(last, 0, -1):
        before, after, at = wide[level] * (2 if spec.skips and level < last else 1), wide[level - 1], side >> level
        size += conv(before, after, 4, at, bias=bias, input_side=at // 2) + _map_norm(spec.norm, after, at)
        size += maps(after, at, times=2) if spec.dropout else Size()
        size += maps(2 * after if spec.skips else after, at, times=2)  # the concatenation, and its ReLU
    outermost = wide[0] * (2 if spec.skips and last else 1)
    return size + conv(outermost, channels, 4, side, input_side=side // 2)


def _map_norm(kind: str, channels: int, side: int) -> Size:
    if kind == "none":
        return Size()
    return maps(channels, side) + (batch_norm(channels) if kind == "batch" else Size(layers=1))


def _srresnet(spec: nets.SrresnetGenerator, factor: int, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    wide, at = spec.width, side // factor
    norm = _map_norm(spec.norm, wide, at)
    prelu = Size(weights=1) + maps(wide, at)
    size = maps(channels, at) + conv(channels, wide, 9, at) + prelu
    block = conv(wide, wide, 3, at) + norm + prelu + conv(wide, wide, 3, at) + norm
    size += total(block for _ in range(spec.blocks)) + conv(wide, wide, 3, at) + norm + maps(wide, at)
    for _ in range(factor.bit_length() - 1):
        size += conv(wide, 4 * wide, 3, at) + Size(weights=1) + maps(wide, 2 * at)
        at *= 2
    return size + conv(wide, channels, 9, side)
