"""How deep a convolutional network is follows from the side of its pictures."""


def halvings(side: int) -> list[int]:
    """The sides from the smallest map (4 to 7 px) up to `side`: 28 -> [7, 14, 28], 64 -> [4, 8, 16, 32, 64].

    Odd sides are rounded up on the way down: 30 -> [4, 8, 15, 30]. The network is len - 1 doublings deep.
    """
    sides = [side]
    while sides[0] > 7:
        sides.insert(0, -(-sides[0] // 2))
    return sides
