"""Rendered landscapes of the `day2night` dataset, each from a seed.

`layout(seed)` decides the geometry and the local colours; a `Light` decides how they look. The same layout under `DAY`
and under `NIGHT` is a true pair. Coordinates run from 0 to 1 with y downwards; pictures are rendered four times too
large and reduced, so that edges are smooth.
"""

import math
from dataclasses import dataclass
from random import Random

from PIL import Image

from data.readers.scene_things import (
    DAY,
    NIGHT,
    SUPERSAMPLING,
    Brush,
    Car,
    Cloud,
    Colour,
    Ground,
    House,
    Lake,
    Orb,
    Person,
    Point,
    Ridge,
    Road,
    Sky,
    StreetLamp,
    Thing,
    Tree,
    mix,
)

DAY_SEEDS, NIGHT_SEEDS, HELD_OUT_SEEDS = 0, 1_000_000, 2_000_000
"""first seeds of three disjoint sets of scenes: unpaired pictures by day and by night never show the same scene"""


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a season."""

    ground: tuple[Colour, ...]
    hills: tuple[Colour, ...]
    trees: tuple[Colour, ...]


SEASONS = (
    Palette(  # summer
        ((116, 178, 78), (138, 190, 84), (98, 164, 82)),
        ((92, 156, 84), (74, 138, 92), (128, 172, 88)),
        ((52, 124, 58), (70, 142, 62), (42, 108, 72)),
    ),
    Palette(  # spring
        ((158, 206, 98), (172, 212, 112)),
        ((132, 188, 106), (112, 172, 118)),
        ((238, 166, 190), (120, 182, 84), (244, 196, 210)),
    ),
    Palette(  # autumn
        ((196, 166, 84), (178, 152, 76)),
        ((170, 138, 82), (150, 128, 92), (188, 144, 70)),
        ((214, 120, 44), (198, 84, 46), (222, 166, 56)),
    ),
    Palette(  # winter
        ((234, 240, 248), (222, 232, 244)),
        ((206, 220, 238), (190, 208, 230)),
        ((64, 108, 92), (86, 124, 110), (182, 204, 214)),
    ),
    Palette(  # dry south
        ((228, 200, 142), (214, 184, 128)),
        ((204, 164, 112), (190, 146, 110), (176, 150, 120)),
        ((116, 134, 70), (92, 120, 74)),
    ),
)
DAY_SKIES = (
    ((78, 156, 232), (200, 228, 248)),
    ((104, 178, 238), (236, 240, 228)),
    ((62, 138, 214), (170, 214, 244)),
    ((126, 196, 230), (252, 232, 206)),
    ((112, 166, 222), (214, 220, 242)),
)
NIGHT_SKIES = (
    ((8, 12, 40), (34, 50, 104)),
    ((6, 10, 32), (44, 48, 98)),
    ((10, 16, 52), (28, 58, 112)),
)
MOUNTAINS = ((138, 148, 172), (120, 136, 160), (156, 150, 164), (112, 128, 142))
WALLS = (
    (236, 222, 196),
    (214, 150, 118),
    (226, 196, 120),
    (196, 208, 214),
    (240, 240, 234),
    (178, 110, 96),
    (160, 184, 170),
)
ROOFS = ((176, 72, 56), (132, 76, 60), (92, 96, 114), (72, 84, 102), (150, 60, 70))
BRIGHT = ((206, 60, 58), (58, 108, 190), (240, 190, 60), (238, 238, 238), (72, 156, 112), (150, 84, 168))


def _vary(rng: Random, colour: Colour, by: int = 12) -> Colour:
    """Change each channel of a colour at random by at most `by` levels."""
    red, green, blue = (max(0, min(255, value + rng.randint(-by, by))) for value in colour)
    return red, green, blue


def layout(seed: int) -> tuple[Thing, ...]:
    """Return the things of scene `seed`, from far to near."""
    rng = Random(seed)
    horizon = rng.uniform(0.42, 0.72)
    season = rng.choice(SEASONS)
    return (
        *_sky(rng, horizon),
        *_background(rng, horizon, season),
        *_foreground(rng, horizon, season),
    )


def _sky(rng: Random, horizon: float) -> list[Thing]:
    stars = tuple(
        (rng.random(), rng.uniform(0, horizon), rng.uniform(0.004, 0.010)) for _ in range(rng.randint(10, 28))
    )
    orb = Orb(rng.uniform(0.1, 0.9), rng.uniform(0.09, horizon * 0.5), rng.uniform(0.05, 0.085))
    clouds = [_cloud(rng, horizon) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    return [Sky(rng.choice(DAY_SKIES), rng.choice(NIGHT_SKIES), horizon, stars), orb, *clouds]


def _cloud(rng: Random, horizon: float) -> Cloud:
    x, y, size = rng.random(), rng.uniform(0.06, horizon * 0.6), rng.uniform(0.04, 0.08)
    puffs = (
        (x - size * 1.3, y + size * 0.2, size * 0.8),
        (x, y, size),
        (x + size * 1.3, y + size * 0.2, size * 0.9),
    )
    return Cloud(puffs)


def _background(rng: Random, horizon: float, season: Palette) -> list[Thing]:
    things: list[Thing] = []
    if rng.random() < 0.5:
        things.append(_mountains(rng, horizon))
    if rng.random() < 0.3:
        things += [_tower(rng, horizon, slot) for slot in range(rng.randint(3, 7))]
    for layer in range(rng.randint(1, 3)):
        things.append(_hills(rng, horizon, layer, _vary(rng, rng.choice(season.hills))))
    return things


def _mountains(rng: Random, horizon: float) -> Ridge:
    count = rng.randint(2, 4)
    colour, snow = _vary(rng, rng.choice(MOUNTAINS)), rng.random() < 0.6
    line: list[Point] = [(0.0, horizon - rng.uniform(0.02, 0.12))]
    peaks: list[tuple[float, float, float]] = []
    for index in range(count):
        x = (index + rng.uniform(0.3, 0.7)) / count
        top = horizon - rng.uniform(0.14, 0.28)
        peaks.append((x, top, 0.045))
        line += [(x, top), ((index + 1) / count, horizon - rng.uniform(0.0, 0.1))]
    return Ridge(tuple(line), colour, tuple(peaks) if snow else ())


def _hills(rng: Random, horizon: float, layer: int, colour: Colour) -> Ridge:
    height, waves, phase = rng.uniform(0.02, 0.09), rng.uniform(0.6, 2.2), rng.uniform(0, 2 * math.pi)
    base = horizon - 0.03 + 0.025 * layer
    xs = [i / 24 for i in range(25)]
    line = tuple((x, base - height * (0.5 + 0.5 * math.sin(2 * math.pi * waves * x + phase))) for x in xs)
    return Ridge(line, colour)


def _tower(rng: Random, horizon: float, slot: int) -> House:
    width, height = rng.uniform(0.08, 0.13), rng.uniform(0.16, 0.34)
    x = (slot * 0.15 + rng.uniform(0.0, 0.1)) % 1.0
    wall = mix(_vary(rng, rng.choice(WALLS)), (150, 165, 190), 0.45)
    return House(x, horizon + 0.02, width, height, wall, (110, 116, 132), True, round(height / 0.055), 2)


def _foreground(rng: Random, horizon: float, season: Palette) -> list[Thing]:
    colour = _vary(rng, rng.choice(season.ground))
    stripes = tuple(sorted(rng.uniform(0.1, 0.95) for _ in range(rng.choice((0, 0, 2, 4)))))
    things: list[Thing] = [Ground(horizon, colour, mix(colour, (90, 80, 40), 0.14), stripes)]
    if rng.random() < 0.25:
        things.append(
            Lake(rng.uniform(0.2, 0.8), _lower(rng, horizon, 0.3, 0.7), rng.uniform(0.16, 0.32), (84, 150, 204))
        )
    if rng.random() < 0.5:
        things.append(_road(rng, horizon))
    return things + _standing(rng, horizon, season)


def _road(rng: Random, horizon: float) -> Road:
    grey = _vary(rng, (128, 126, 132))
    bend = rng.uniform(-0.25, 0.25)
    return Road(rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.2), horizon, bend, grey)


def _lower(rng: Random, horizon: float, start: float, end: float) -> float:
    """Draw a random y on the ground between two depths, from 0 (horizon) to 1 (lower edge)."""
    return horizon + (1 - horizon) * rng.uniform(start, end)


def _standing(rng: Random, horizon: float, season: Palette) -> list[Thing]:
    """Return houses, trees, lamps, people and cars, from far to near."""
    conifers = rng.random()
    placed: list[tuple[float, Thing]] = []
    for build, counts in (
        (_house, (0, 1, 1, 2, 3)),
        (lambda r, y, near: _tree(r, y, near, season, conifers), (0, 1, 2, 3, 4, 6)),
        (_street_lamp, (0, 0, 1, 2)),
        (_person, (0, 0, 1, 2)),
        (_car, (0, 0, 0, 1)),
    ):
        for _ in range(rng.choice(counts)):
            y = _lower(rng, horizon, 0.05, 0.9)
            placed.append((y, build(rng, y, (y - horizon) / (1 - horizon))))
    return [thing for _, thing in sorted(placed, key=lambda item: item[0])]


def _house(rng: Random, y: float, near: float) -> Thing:
    size = 0.13 + 0.16 * near
    height = size * rng.uniform(0.6, 1.1)
    rows, columns = (2, 2) if height > 0.9 * size else (1, 3)
    wall, roof = _vary(rng, rng.choice(WALLS)), _vary(rng, rng.choice(ROOFS))
    return House(rng.uniform(0.08, 0.92), y, size, height, wall, roof, False, rows, columns)


def _tree(rng: Random, y: float, near: float, season: Palette, conifers: float) -> Thing:
    height = (0.12 + 0.26 * near) * rng.uniform(0.8, 1.2)
    return Tree(rng.random(), y, height, _vary(rng, rng.choice(season.trees)), rng.random() < conifers)


def _street_lamp(rng: Random, y: float, near: float) -> Thing:
    return StreetLamp(rng.uniform(0.05, 0.95), y, 0.16 + 0.2 * near)


def _person(rng: Random, y: float, near: float) -> Thing:
    return Person(rng.uniform(0.05, 0.95), y, 0.07 + 0.12 * near, rng.choice(BRIGHT))


def _car(rng: Random, y: float, near: float) -> Thing:
    return Car(rng.uniform(0.15, 0.85), y, 0.12 + 0.14 * near, rng.choice(BRIGHT))


def render(seed: int, side: int, *, night: bool) -> Image.Image:
    """Render scene `seed` as an RGB picture of `side` x `side` pixels."""
    brush = Brush(side * SUPERSAMPLING, NIGHT if night else DAY)
    for thing in layout(seed):
        thing.paint(brush)
    return brush.image.reduce(SUPERSAMPLING)
