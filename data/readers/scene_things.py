"""The things in a scene, from the sky to a car, and how they are painted under the light of day or night."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]
GLASS, LAMPLIGHT = (152, 192, 220), (255, 205, 92)
SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Light:
    """A time of day: it scales and tints colours, and turns lamps on or off."""

    night: bool
    scale: tuple[float, float, float]
    tint: tuple[float, float, float]

    def shade(self, colour: Colour) -> Colour:
        red, green, blue = (
            min(255, round(value * by + add)) for value, by, add in zip(colour, self.scale, self.tint, strict=True)
        )
        return red, green, blue


DAY = Light(night=False, scale=(1.0, 1.0, 1.0), tint=(0.0, 0.0, 0.0))


NIGHT = Light(night=True, scale=(0.20, 0.24, 0.36), tint=(4.0, 7.0, 20.0))


@lru_cache(maxsize=1)
def _halo() -> Image.Image:
    """Return a soft round mask, strongest in the middle."""
    axis = np.linspace(-1, 1, 64)
    distance = np.hypot(axis[:, None], axis[None, :])
    return Image.fromarray((np.clip(1 - distance, 0, 1) ** 2 * 255).astype(np.uint8))


class Brush:
    """Painter in unit coordinates on a canvas of `size` pixels under one light."""

    def __init__(self, size: int, light: Light) -> None:
        self.size, self.light = size, light
        self.image = Image.new("RGB", (size, size))
        self._draw = ImageDraw.Draw(self.image)

    def polygon(self, points: Iterable[Point], colour: Colour) -> None:
        self._draw.polygon([(x * self.size, y * self.size) for x, y in points], fill=self.light.shade(colour))

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour, height_ratio: float = 1.0) -> None:
        """Paint an ellipse whose width is 2 x `radius`, and whose height is `height_ratio` times its width."""
        self._ellipse(x, y, radius, radius * height_ratio, self.light.shade(colour))

    def lamp(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Paint a luminous disc: its colour is not shaded."""
        self._ellipse(x, y, radius, radius, colour)

    def lit_box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self._draw.rectangle([v * self.size for v in (left, top, right, bottom)], fill=colour)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Paint light that fades outwards."""
        width = max(2, round(2 * radius * self.size))
        mask = _halo().resize((width, width)).point(lambda value: value * strength)
        corner = round((x - radius) * self.size), round((y - radius) * self.size)
        self.image.paste(colour, (*corner, corner[0] + width, corner[1] + width), mask)

    def sky(self, top: Colour, bottom: Colour, until: float) -> None:
        """Paint a vertical gradient from the upper edge down to `until`. Its colours are not shaded."""
        ends = Image.new("RGB", (1, 2))
        ends.putpixel((0, 0), top)
        ends.putpixel((0, 1), bottom)
        height = math.ceil(until * self.size)
        # Only the part between the two pixel centres is a gradient.
        self.image.paste(ends.resize((self.size, height), Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5)))

    def _ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        box = [(x - rx) * self.size, (y - ry) * self.size, (x + rx) * self.size, (y + ry) * self.size]
        self._draw.ellipse(box, fill=colour)


class Thing(Protocol):
    """Anything that stands in a scene."""

    def paint(self, brush: Brush) -> None: ...


@dataclass(frozen=True, slots=True)
class Sky:
    day: tuple[Colour, Colour]
    night: tuple[Colour, Colour]
    horizon: float
    stars: tuple[tuple[float, float, float], ...]

    def paint(self, brush: Brush) -> None:
        top, bottom = self.night if brush.light.night else self.day
        brush.sky(top, bottom, min(1.0, self.horizon + 0.1))
        if brush.light.night:
            for x, y, radius in self.stars:
                brush.lamp(x, y, radius, (236, 238, 255))


@dataclass(frozen=True, slots=True)
class Orb:
    """The sun by day, the moon by night, at the same position."""

    x: float
    y: float
    radius: float

    def paint(self, brush: Brush) -> None:
        x, y, radius = self.x, self.y, self.radius
        if not brush.light.night:
            brush.glow(x, y, radius * 3.2, (255, 250, 205), 0.9)
            brush.lamp(x, y, radius, (255, 226, 92))
            return
        brush.glow(x, y, radius * 3.6, (150, 172, 226), 0.6)
        brush.lamp(x, y, radius, (240, 241, 226))
        for dx, dy, part in ((-0.35, -0.25, 0.24), (0.3, 0.2, 0.3), (-0.2, 0.45, 0.16)):
            brush.lamp(x + dx * radius, y + dy * radius, part * radius, (205, 208, 204))


@dataclass(frozen=True, slots=True)
class Cloud:
    puffs: tuple[tuple[float, float, float], ...]

    def paint(self, brush: Brush) -> None:
        for shift, colour in ((0.012, (214, 224, 238)), (0.0, (252, 253, 255))):
            for x, y, radius in self.puffs:
                brush.disc(x, y + shift, radius, colour, height_ratio=0.55)


@dataclass(frozen=True, slots=True)
class Ridge:
    """A line of hills or mountains, filled down to the lower edge; peaks may carry snow."""

    line: tuple[Point, ...]
    colour: Colour
    peaks: tuple[tuple[float, float, float], ...] = ()

    def paint(self, brush: Brush) -> None:
        brush.polygon([(0.0, 1.0), *self.line, (1.0, 1.0)], self.colour)
        for x, y, half in self.peaks:
            jag = [(x - half, y + half * 1.3), (x, y), (x + half, y + half * 1.3)]
            brush.polygon([*jag, (x + half * 0.3, y + half * 0.9), (x - half * 0.3, y + half * 1.2)], (246, 249, 255))


@dataclass(frozen=True, slots=True)
class Ground:
    horizon: float
    colour: Colour
    furrow: Colour
    stripes: tuple[float, ...]

    def paint(self, brush: Brush) -> None:
        brush.box(0.0, self.horizon, 1.0, 1.0, self.colour)
        for depth in self.stripes:
            y = self.horizon + (1 - self.horizon) * depth
            brush.box(0.0, y, 1.0, y + 0.035 * depth, self.furrow)


@dataclass(frozen=True, slots=True)
class Lake:
    x: float
    y: float
    radius: float
    colour: Colour

    def paint(self, brush: Brush) -> None:
        brush.disc(self.x, self.y, self.radius * 1.06, (203, 189, 140), height_ratio=0.25)
        brush.disc(self.x, self.y, self.radius, self.colour, height_ratio=0.23)
        shine = (214, 238, 250)
        for dx, dy, half in ((-0.3, -0.05, 0.25), (0.2, 0.04, 0.3), (-0.1, 0.12, 0.15)):
            x, y = self.x + dx * self.radius, self.y + dy * self.radius
            brush.box(x - half * self.radius, y, x + half * self.radius, y + 0.008, shine)


@dataclass(frozen=True, slots=True)
class Road:
    far: float
    near: float
    width: float
    horizon: float
    bend: float
    colour: Colour

    def _at(self, depth: float) -> tuple[float, float, float]:
        """Return centre x, y and half width at a depth from 0 (horizon) to 1 (lower edge)."""
        x = self.far + (self.near - self.far) * depth + self.bend * math.sin(math.pi * depth) * depth
        return x, self.horizon + (1 - self.horizon) * depth, 0.008 + self.width * depth

    def paint(self, brush: Brush) -> None:
        stations = [self._at(i / 12) for i in range(13)]
        left = [(x - half, y) for x, y, half in stations]
        right = [(x + half, y) for x, y, half in reversed(stations)]
        brush.polygon([*left, *right], self.colour)
        for start in (0.2, 0.36, 0.56, 0.8):
            self._dash(brush, start, start * 1.17)

    def _dash(self, brush: Brush, start: float, end: float) -> None:
        (x0, y0, w0), (x1, y1, w1) = self._at(start), self._at(end)
        corners = [(x0 - w0 * 0.07, y0), (x0 + w0 * 0.07, y0), (x1 + w1 * 0.07, y1), (x1 - w1 * 0.07, y1)]
        brush.polygon(corners, (245, 240, 214))


def _window(brush: Brush, x: float, y: float, half: float) -> None:
    """Paint a window: blue glass by day, warm light by night."""
    brush.lit_box(x - half, y - half, x + half, y + half, LAMPLIGHT if brush.light.night else GLASS)


@dataclass(frozen=True, slots=True)
class House:
    x: float
    y: float
    width: float
    height: float
    wall: Colour
    roof: Colour
    flat: bool
    rows: int
    columns: int

    def paint(self, brush: Brush) -> None:
        left, right, top = self.x - self.width / 2, self.x + self.width / 2, self.y - self.height
        brush.box(left, top, right, self.y, self.wall)
        # A darker wall, away from the light, makes the house look solid.
        brush.box(right - self.width * 0.16, top, right, self.y, mix(self.wall, (40, 40, 60), 0.25))
        self._roof(brush, left, right, top)
        for row in range(self.rows):
            for column in range(self.columns):
                self._opening(brush, left, top, row, column)

    def _roof(self, brush: Brush, left: float, right: float, top: float) -> None:
        if self.flat:
            brush.box(left - 0.005, top - 0.012, right + 0.005, top + 0.008, self.roof)
            return
        over, peak = self.width * 0.12, self.width * 0.48
        brush.box(self.x + self.width * 0.2, top - peak * 0.85, self.x + self.width * 0.32, top, self.roof)
        brush.polygon([(left - over, top), (self.x, top - peak), (right + over, top)], self.roof)

    def _opening(self, brush: Brush, left: float, top: float, row: int, column: int) -> None:
        pitch_x, pitch_y = self.width / self.columns, self.height / self.rows
        x, y = left + pitch_x * (column + 0.5), top + pitch_y * (row + 0.5)
        half = 0.26 * min(pitch_x, pitch_y)
        door = row == self.rows - 1 and column == self.columns // 2
        if door and not self.flat:
            brush.box(x - half * 0.8, y - half, x + half * 0.8, self.y, (98, 62, 44))
        else:
            _window(brush, x, y, half)


@dataclass(frozen=True, slots=True)
class Tree:
    x: float
    y: float
    height: float
    colour: Colour
    conifer: bool

    def paint(self, brush: Brush) -> None:
        x, y, height = self.x, self.y, self.height
        brush.disc(x, y, height * 0.28, mix((70, 90, 60), self.colour, 0.3), height_ratio=0.22)
        brush.box(x - height * 0.05, y - height * 0.4, x + height * 0.05, y, (104, 74, 48))
        light = mix(self.colour, (255, 255, 190), 0.2)
        if self.conifer:
            for base, half in ((0.15, 0.30), (0.38, 0.24), (0.6, 0.17)):
                foot = y - base * height
                tip = (x, foot - 0.42 * height)
                brush.polygon([(x - half * height, foot), tip, (x + half * height, foot)], self.colour)
                brush.polygon([(x - half * height, foot), tip, (x - half * height * 0.3, foot)], light)
            return
        for dx, dy, part in ((-0.17, 0.55, 0.21), (0.17, 0.57, 0.21), (0.0, 0.75, 0.25)):
            brush.disc(x + dx * height, y - dy * height, part * height, self.colour)
        brush.disc(x - 0.06 * height, y - 0.78 * height, 0.15 * height, light)


@dataclass(frozen=True, slots=True)
class StreetLamp:
    x: float
    y: float
    height: float

    def paint(self, brush: Brush) -> None:
        top = self.y - self.height
        brush.box(self.x - 0.006, top, self.x + 0.006, self.y, (88, 92, 102))
        if brush.light.night:
            brush.glow(self.x, top, 0.5 * self.height, LAMPLIGHT, 0.75)
            brush.lamp(self.x, top, 0.018, (255, 240, 190))
        else:
            brush.disc(self.x, top, 0.018, (226, 228, 224))


@dataclass(frozen=True, slots=True)
class Person:
    x: float
    y: float
    height: float
    coat: Colour

    def paint(self, brush: Brush) -> None:
        x, y, height = self.x, self.y, self.height
        brush.box(x - 0.13 * height, y - 0.4 * height, x - 0.02 * height, y, (58, 60, 84))
        brush.box(x + 0.02 * height, y - 0.4 * height, x + 0.13 * height, y, (58, 60, 84))
        brush.box(x - 0.18 * height, y - 0.8 * height, x + 0.18 * height, y - 0.35 * height, self.coat)
        brush.disc(x, y - 0.9 * height, 0.13 * height, (232, 190, 156))


@dataclass(frozen=True, slots=True)
class Car:
    x: float
    y: float
    length: float
    colour: Colour

    def paint(self, brush: Brush) -> None:
        x, y, length = self.x, self.y, self.length
        brush.box(x - length / 2, y - 0.3 * length, x + length / 2, y - 0.08 * length, self.colour)
        cabin = [(-0.32, -0.28), (-0.2, -0.5), (0.16, -0.5), (0.3, -0.28)]
        brush.polygon(
            [(x + dx * length, y + dy * length) for dx, dy in cabin],
            mix(self.colour, (180, 220, 240), 0.5),
        )
        for wheel in (-0.28, 0.28):
            brush.disc(x + wheel * length, y - 0.07 * length, 0.09 * length, (40, 40, 46))
        if brush.light.night:
            brush.glow(x - 0.62 * length, y - 0.2 * length, 0.4 * length, (255, 240, 180), 0.8)
            brush.lamp(x - 0.46 * length, y - 0.2 * length, 0.06 * length, (255, 248, 214))


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Return the colour at this share of the way from one to the other."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
