"""Count a network's weights, activations and operations, layer by layer.
backward pass, and the multiplications of a pass.

The rules of the networks stand in generator_sizes and critic_sizes. A test holds them against the networks themselves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of four bytes each, of a layer or of a whole network."""

    weights: int = 0
    """trained"""
    buffers: int = 0
    """kept beside the weights: running statistics, singular vectors"""
    saved: int = 0
    """for the backward pass, per example"""
    largest_map: int = 0
    """of the largest map, per example: a pass without gradients holds a few of these"""
    saved_per_pair: int = 0
    """for the backward pass, per pair of examples of a batch"""
    recomputed: int = 0
    """weights that every pass computes anew, such as normalised ones"""
    rows: int = 0
    """of the matrices that the spectral norm holds, where it does"""
    products: int = 0
    """multiplications of a pass, per example"""
    layers: int = 0
    """with weights, in the order of a pass: what each costs whatever its size"""

    def __add__(self, other: "Size") -> "Size":
        """One after the other."""
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
    """Two networks of which each pass uses one."""
    larger = max(first, second, key=lambda size: size.products)
    both = first + second
    return replace(both, saved=max(first.saved, second.saved), products=larger.products, layers=larger.layers)


def maps(channels: int, side: int = 1, times: int = 1) -> Size:
    """Maps that are kept, `times` over: of an activation, a padding, an enlargement."""
    numbers = channels * side**2
    return Size(saved=times * numbers, largest_map=numbers)


def transient(channels: int, side: int = 1) -> Size:
    """Maps that no backward pass needs."""
    return Size(largest_map=channels * side**2)


def conv(before: int, after: int, kernel: int, side: int, *, bias: bool = True, given: int | None = None) -> Size:
    """A convolution whose output has this side, and is kept; a transposed one is `given` maps of another side."""
    matrix = before * after * kernel**2
    products = matrix * (side if given is None else given) ** 2
    return Size(weights=matrix + bias * after, rows=after, products=products, layers=1) + maps(after, side)


def linear(before: int, after: int, *, bias: bool = True) -> Size:
    """The output is kept."""
    matrix = before * after
    return Size(weights=matrix + bias * after, rows=after, products=matrix, layers=1) + maps(after)


def embedding(count: int, size: int) -> Size:
    return Size(weights=count * size) + maps(size)


def batch_norm(channels: int, *, affine: bool = True) -> Size:
    """The running mean and variance, and how many batches they are of. What it gives is counted by what follows."""
    return Size(weights=2 * channels * affine, buffers=2 * channels + 1, layers=1)


def conditional_norm(channels: int, classes: int, side: int) -> Size:
    """Gains and biases by class, on maps that are kept."""
    return batch_norm(channels, affine=False) + Size(weights=2 * classes * channels) + maps(channels, side)


def vector_norm(channels: int, fed: int, side: int) -> Size:
    """Gains and biases that are a linear function of `fed` numbers, on maps that are kept."""
    return (
        batch_norm(channels, affine=False) + Size(weights=2 * fed * channels, rows=2 * channels) + maps(channels, side)
    )


def attention(channels: int, side: int) -> Size:
    """Self-attention between all places of a map and those of its half: the shares are kept, a number per pair of
    places."""
    narrow, half_wide, half = max(channels // 8, 1), max(channels // 2, 1), -(-side // 2)
    shares = side**2 * half**2
    return (
        Size(weights=1, saved=shares, largest_map=shares, products=shares * (narrow + half_wide), layers=1)
        + maps(channels, half)
        + conv(channels, narrow, 1, side, bias=False)
        + conv(channels, narrow, 1, half, bias=False)
        + conv(channels, half_wide, 1, half, bias=False)
        + maps(half_wide, side)
        + conv(half_wide, channels, 1, side, bias=False)
        + maps(channels, side)
    )


def spectral(size: Size) -> Size:
    """The same under the spectral norm: a singular vector for each matrix, and weights that every pass normalises."""
    return size + Size(buffers=size.rows, recomputed=2 * size.weights)


def mlp(before: int, hidden: Sequence[int], after: int, *, norm: bool = False, dropout: bool = False) -> Size:
    """Fully connected layers, with an activation after each."""
    size = maps(before)
    for wide in hidden:
        size += linear(before, wide) + maps(wide)
        size += batch_norm(wide) + maps(wide) if norm else Size()
        size += maps(wide, times=2) if dropout else Size()
        before = wide
    return size + linear(before, after) + maps(after)
