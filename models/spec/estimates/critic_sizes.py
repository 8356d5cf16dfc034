"""The size of each critic, and of the content loss's networks, counted from their specs."""

import math
from itertools import pairwise
from typing import assert_never

from models.spec import nets
from models.spec.estimates.network_size import (
    Size,
    alternatives,
    attention,
    batch_norm,
    conv,
    embedding,
    linear,
    maps,
    mlp,
    spectral,
    total,
)
from models.spec.nets import halvings, widths
from models.spec.recipe import Recipe


def critic_size(recipe: Recipe) -> Size:
    """Return the size of one critic (of both for d2gan); the unpaired game has one per domain."""
    spec, form, classes = recipe.critic, recipe.critic_input_shape, recipe.classes
    named = classes if recipe.penalty("auxiliary") is not None else 0
    if spec is None:
        return Size()
    critic = _critic(spec, form, classes, named)
    return critic + critic if recipe.objective is not None and recipe.objective.kind == "d2gan" else critic


def features_size(recipe: Recipe) -> Size:
    """Return the size of the network of the paired game's content loss."""
    game = recipe.game
    if game.kind != "paired" or not game.content:
        return Size()
    channels, side, _ = recipe.shape
    if game.features == "vgg19":
        return _vgg19(side)
    half, quarter = side // 2, side // 4
    return total((
        conv(channels, 32, 3, side), maps(32, side), conv(32, 32, 4, half), maps(32, half),
        conv(32, 64, 3, half), maps(64, half), conv(64, 64, 4, quarter), maps(64, quarter),
        linear(64, 4), Size(buffers=1),
    ))  # fmt: skip


def _critic(spec: nets.CriticSpec, form: tuple[int, ...], classes: int, named: int) -> Size:
    match spec:
        case nets.MlpCritic():
            inputs = math.prod(form) + (classes if spec.conditioning == "concatenation" else 0)
            features = spec.hidden[-1] if spec.hidden else inputs
            body = mlp(inputs, spec.hidden, 1, dropout=spec.dropout > 0)
            return body + _heads(features, spec.minibatch, 0, named)
        case nets.DcganCritic():
            return _dcgan_critic(spec, form, classes, named)
        case nets.ResidualCritic():
            return _residual_critic(spec, form, classes, named)
        case nets.ProgressiveCritic():
            return _progressive_critic(spec, form)
        case nets.StackedCritic():
            stage = nets.ResidualCritic(width=spec.width, norm="none", conditioning=spec.conditioning)
            channels, side, _ = form
            half = -(-side // 2)
            first = _residual_critic(stage, (channels, half, half), classes, named)
            return alternatives(first, _residual_critic(stage, form, classes, named))
        case nets.AutoencoderCritic():
            return _autoencoder_critic(spec, form)
        case nets.SequenceCritic():
            wide = nets.SEQUENCE_CRITIC_WIDENING * spec.width
            layers = pairwise((math.prod(form), wide, wide, wide))
            return maps(math.prod(form)) + total(linear(*pair) + maps(wide) for pair in layers) + linear(wide, 1)
        case nets.PatchCritic():
            return _patch_critic(spec, form)
        case _:
            assert_never(spec)


def _dcgan_critic(spec: nets.DcganCritic, form: tuple[int, ...], classes: int, named: int) -> Size:
    channels, side, _ = form
    size, width, bias = maps(channels, side), channels, spec.norm != "batch"
    for depth in range(len(halvings(side)) - 1):
        after, side = spec.width * 2**depth, side // 2
        size += conv(width, after, 4, side, bias=bias) + maps(after, side)
        size += batch_norm(after) + maps(after, side) if spec.norm == "batch" and depth else Size()
        size += maps(after, side, times=2) if spec.dropout else Size()
        width = after
    size += linear(width * side**2, 1, bias=bias)
    projected = classes if spec.conditioning == "projection" else 0
    size += _heads(width * side**2, spec.minibatch, projected, named)
    return spectral(size) if spec.norm == "spectral" else size


def _heads(features: int, minibatch: nets.BatchLayer, projected: int, named: int) -> Size:
    size = maps(features)
    size += embedding(projected, features) + Size(rows=projected) if projected else Size()
    size += linear(features, named) if named else Size()
    match minibatch:
        case "discrimination":
            numbers = nets.KERNELS * nets.KERNEL_SIZE
            mixed = linear(features, numbers, bias=False) + linear(nets.KERNELS, 1, bias=False)
            return size + mixed + Size(saved_per_pair=3 * numbers + nets.KERNELS)
        case "deviation":
            return size + Size(weights=1) + maps(features)
        case "none":
            return size
        case _:
            assert_never(minibatch)


def _residual_critic(spec: nets.ResidualCritic, form: tuple[int, ...], classes: int, named: int) -> Size:
    channels, side, _ = form
    sides = halvings(side)[::-1]
    wide = widths(spec.width, halvings(side))[::-1]
    size = maps(channels, side) + conv(channels, wide[0], 3, side)
    for (before, after), (at, target) in zip(pairwise(wide), pairwise(sides), strict=True):
        size += maps(before, at) + conv(before, before, 3, at) + maps(before, at) + conv(before, after, 3, at)
        size += maps(before, target) + maps(after, target)
        size += conv(before, after, 1, target, bias=False) if before != after else Size()
    size += attention(wide[1], sides[1]) if spec.attention else Size()
    features = wide[-1] * sides[-1] ** 2
    projected = classes if spec.conditioning == "projection" else 0
    size += linear(features, 1) + _heads(features, spec.minibatch, projected, named)
    return spectral(size) if spec.norm == "spectral" else size


def _progressive_critic(spec: nets.ProgressiveCritic, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    sides = halvings(side)
    wide = widths(spec.width, sides)
    size = maps(channels, side, times=2) + maps(wide[-1], side, times=2)
    for number, (before, after) in enumerate(zip([wide[0], *wide], wide, strict=False)):
        at = sides[number]
        size += Size(weights=channels * after + after)
        size += conv(after, after, 3, at) + maps(after, at) + conv(after, before, 3, at) + maps(before, at)
        size += maps(before, max(1, at // 2))
    flat = wide[0] * sides[0] ** 2
    size += linear(flat, wide[0]) + maps(wide[0]) + linear(wide[0], 1)
    return size + _heads(flat, spec.minibatch, 0, 0) + Size(recomputed=size.weights)


def _autoencoder_critic(spec: nets.AutoencoderCritic, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    sides = halvings(side)
    wide = widths(spec.width, sides)
    flat = wide[0] * sides[0] ** 2
    size = maps(channels, side) + conv(channels, wide[-1], 3, side) + maps(wide[-1], side)
    size += linear(flat, spec.code) + linear(spec.code, flat)
    for (before, after), at in zip(pairwise(wide), sides[1:], strict=True):
        down = -(-at // 2)
        size += conv(after, before, 3, down) + maps(before, down)  # halving
        size += maps(before, at) + conv(before, after, 3, at) + maps(after, at)  # doubling
    return size + conv(wide[-1], channels, 3, side) + maps(channels, side)


def _patch_critic(spec: nets.PatchCritic, form: tuple[int, ...]) -> Size:
    channels, side, _ = form
    normed = spec.norm == "instance"
    side = side // 2
    size, width = maps(channels, 2 * side) + conv(channels, spec.width, 4, side) + maps(spec.width, side), spec.width
    for depth in range(1, spec.layers + 1):
        after, side = spec.width * min(2**depth, 8), side // 2 if depth < spec.layers else side - 1
        size += conv(width, after, 4, side) + maps(after, side, times=1 + normed)
        width = after
    return size + conv(width, 1, 4, side - 1)


def _vgg19(side: int) -> Size:
    size, before, at = maps(3, side), 3, side
    for number, wide in enumerate(((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)):
        at = at // 2 if number else at
        for after in wide:
            size += conv(before, after, 3, at) + maps(after, at)
            before = after
    return size
