"""How deep and how wide a convolutional network is follows from the side of its pictures."""

from collections.abc import Sequence


def halvings(side: int) -> list[int]:
    """The sides from the smallest map (4 to 7 px) up to `side`: 28 -> [7, 14, 28], 64 -> [4, 8, 16, 32, 64].

    Odd sides are rounded up on the way down: 30 -> [4, 8, 15, 30]. The network is len - 1 doublings deep.
    """
    sides = [side]
    while sides[0] > 7:
        sides.insert(0, -(-sides[0] // 2))
    return sides


def widths(width: int, sides: Sequence[int]) -> list[int]:
    """Channels of the maps of each side: `width` on the largest, twice as many on each smaller, four times at most."""
    return [width * min(2**steps, 4) for steps in reversed(range(len(sides)))]
