"""Count a layer's weights, activations and operations.

generator_sizes and critic_sizes add the layers up. A test compares the sums with the networks themselves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """Size of a layer or network, in numbers of four bytes each."""

    weights: int = 0
    """trained weights"""
    buffers: int = 0
    """stored but not trained: running statistics, singular vectors"""
    saved: int = 0
    """numbers of maps saved for the backward pass, per example"""
    largest_map: int = 0
    """numbers of the largest map, per example: a pass without gradients has a few of these in memory"""
    saved_per_pair: int = 0
    """numbers saved for the backward pass, per pair of examples of a batch"""
    recomputed: int = 0
    """weights that every pass recomputes, such as normalised ones"""
    rows: int = 0
    """rows of the weight matrices: the size of the spectral norm's singular vectors"""
    products: int = 0
    """multiplications of a forward pass, per example"""
    layers: int = 0
    """number of layers with weights: each has a cost per call"""

    def __add__(self, other: "Size") -> "Size":
        """Return the size of both, run one after the other."""
        return Size(
            self.weights + other.weights,
            self.buffers + other.buffers,
            self.saved + other.saved,
            max(self.largest_map, other.largest_map),
            self.saved_per_pair + other.saved_per_pair,
            self.recomputed + other.recomputed,
            self.rows + other.rows,
            self.products + other.products,
            self.layers + other.layers,
        )


def total(sizes: Iterable[Size]) -> Size:
    return sum(sizes, Size())


def alternatives(first: Size, second: Size) -> Size:
    """Return the size of two networks of which each pass uses one."""
    larger = max(first, second, key=lambda size: size.products)
    both = first + second
    return replace(both, saved=max(first.saved, second.saved), products=larger.products, layers=larger.layers)


def maps(channels: int, side: int = 1, times: int = 1) -> Size:
    """Return the size of `times` saved maps: of activations, paddings, upsamplings."""
    numbers = channels * side**2
    return Size(saved=times * numbers, largest_map=numbers)


def transient(channels: int, side: int = 1) -> Size:
    """Return the size of maps that no backward pass needs."""
    return Size(largest_map=channels * side**2)


def conv(before: int, after: int, kernel: int, side: int, *, bias: bool = True, input_side: int | None = None) -> Size:
    """Return the size of a convolution with saved output of this side; `input_side` is for transposed ones."""
    matrix = before * after * kernel**2
    products = matrix * (side if input_side is None else input_side) ** 2
    return Size(weights=matrix + bias * after, rows=after, products=products, layers=1) + maps(after, side)


def linear(before: int, after: int, *, bias: bool = True) -> Size:
    """Return the size of a fully connected layer with saved output."""
    matrix = before * after
    return Size(weights=matrix + bias * after, rows=after, products=matrix, layers=1) + maps(after)


def embedding(count: int, size: int) -> Size:
    return Size(weights=count * size) + maps(size)


def batch_norm(channels: int, *, affine: bool = True) -> Size:
    """Return the size of BatchNorm's weights and running statistics. The next layer counts its output."""
    return Size(weights=2 * channels * affine, buffers=2 * channels + 1, layers=1)


def conditional_norm(channels: int, classes: int, side: int) -> Size:
    """Return the size of a BatchNorm with gains and biases by class, and its saved input."""
    return batch_norm(channels, affine=False) + Size(weights=2 * classes * channels) + maps(channels, side)


def vector_norm(channels: int, condition: int, side: int) -> Size:
    """Return the size of a BatchNorm whose gains and biases are linear in `condition` numbers, and its saved input."""
    return (
        batch_norm(channels, affine=False)
        + Size(weights=2 * condition * channels, rows=2 * channels)
        + maps(channels, side)
    )


def attention(channels: int, side: int) -> Size:
    """Return the size of self-attention between the pixels of a map and of its half: one saved number per pair."""
    narrow, half_wide, half = max(channels // 8, 1), max(channels // 2, 1), -(-side // 2)
    pairs = side**2 * half**2
    return (
        Size(weights=1, saved=pairs, largest_map=pairs, products=pairs * (narrow + half_wide), layers=1)
        + maps(channels, half)
        + conv(channels, narrow, 1, side, bias=False)
        + conv(channels, narrow, 1, half, bias=False)
        + conv(channels, half_wide, 1, half, bias=False)
        + maps(half_wide, side)
        + conv(half_wide, channels, 1, side, bias=False)
        + maps(channels, side)
    )


def spectral(size: Size) -> Size:
    """Add the spectral norm: a singular vector per matrix, and weights that every pass normalises."""
    return size + Size(buffers=size.rows, recomputed=2 * size.weights)


def mlp(before: int, hidden: Sequence[int], after: int, *, norm: bool = False, dropout: bool = False) -> Size:
    """Return the size of fully connected layers with an activation after each."""
    size = maps(before)
    for wide in hidden:
        size += linear(before, wide) + maps(wide)
        size += batch_norm(wide) + maps(wide) if norm else Size()
        size += maps(wide, times=2) if dropout else Size()
        before = wide
    return size + linear(before, after) + maps(after)
