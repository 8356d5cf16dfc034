"""Plot the curves of a job as SVG, without a plotting library."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path

from forger.files import write_whole

Points = Sequence[tuple[int, float | None]]
"""(step, value); a value that was not finite is None"""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9")
"""of the curves of a panel, told apart also by readers who are colour-blind (Okabe and Ito)"""
BEST_COLOUR = "#009e73"
WIDTH, HEIGHT = 320, 200
"""px of a panel"""
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 44, 30
"""px of a panel around its axes"""
COLUMNS = 3
"""panels in one row"""
TICKS = 4
"""least number of intervals that the ticks of an axis aim at"""
AIR = 0.05
"""share of the range of values that stays free above and below"""
LOSSES = {"critic": "losses of the critic", "generator": "losses of the generator"}
"""titles of panels that several curves share, by the first part of their names"""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as SVG, which notebooks show."""

    title: str
    svg: str = field(repr=False)

    def save(self, path: str | Path) -> Path:
        """Write the SVG file whole or not at all. Raises ValueError for a name with another ending.

        >>> job.plot().save("curves.svg")
        """
        if Path(path).suffix.lower() != ".svg":
            raise ValueError(
                "A plot is saved as SVG: give a name that ends in .svg. For another format, draw the points of "
                "Job.metrics() with a library of your choice."
            )
        write_whole(Path(path), [self.svg.encode()])
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg


def plot(title: str, curves: Mapping[str, Points], best_step: int | None = None) -> Plot:
    """Plot curves by name: one panel for the losses of each player, and one for every other curve.

    A dashed line marks `best_step`. A value that was not finite interrupts its curve.
    """
    panels = _panels(curves)
    columns = min(COLUMNS, max(1, len(panels)))
    width, height = columns * WIDTH, 30 + HEIGHT * max(1, math.ceil(len(panels) / columns))
    last = max((step for points in curves.values() for step, _ in points), default=1)
    parts = [_text(title, 12, 20, size=14)]
    for number, (name, members) in enumerate(panels.items()):
        row, column = divmod(number, columns)
        drawn = "".join(_panel(name, members, max(last, 1), best_step))
        parts.append(f'<g transform="translate({column * WIDTH} {30 + row * HEIGHT})">{drawn}</g>')
    if not panels:
        parts.append(_text("No curve has a point yet.", 12, 60))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(title)}" font-family="sans-serif" fill="#222">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>'
    )
    return Plot(title, svg)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers from `low` to `high`, at most about twice TICKS: multiples of 1, 2 or 5 times a power of 10.

    >>> ticks(0, 1200)
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0, 1200.0]
    """
    rough = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(factor * power for factor in (1, 2, 5) if factor * power <= rough)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step * (1 + 1e-12)) + 1)]


def _panels(curves: Mapping[str, Points]) -> dict[str, dict[str, Points]]:
    """Return the curves with a point, by the title of their panel and their name inside it."""
    panels: dict[str, dict[str, Points]] = {}
    # Losses first; the order of the service otherwise.
    for name in sorted((name for name in curves if curves[name]), key=lambda name: name.split("/")[0] not in LOSSES):
        first, _, rest = name.partition("/")
        label = (rest or first).replace("_", " ")
        panels.setdefault(LOSSES.get(first, label), {})[label] = curves[name]
    return panels


def _panel(title: str, curves: Mapping[str, Points], last: int, best_step: int | None) -> Iterator[str]:
    """Yield the parts of one panel: title, legend, axes, curves."""
    low, high = _range([value for points in curves.values() for _, value in points if value is not None])
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def x(step: float) -> float:
        return round(LEFT + across * step / last, 1)

    def y(value: float) -> float:
        return round(TOP + down * (high - value) / (high - low), 1)

    yield _text(title, LEFT, 16, size=12)
    if len(curves) > 1:
        yield _legend(list(curves))
    for value in ticks(low, high):
        yield _line(LEFT, y(value), WIDTH - RIGHT, y(value), "#e4e4e4")
        yield _text(_number(value), LEFT - 6, y(value) + 3.5, anchor="end")
    for step in ticks(0, last):
        yield _text(_number(step), x(step), HEIGHT - BOTTOM + 15, anchor="middle")
    yield _line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#888")
    if best_step is not None:
        yield _line(x(best_step), TOP, x(best_step), HEIGHT - BOTTOM, BEST_COLOUR, "4 3")
        yield _text("best", x(best_step), TOP - 4, anchor="middle", colour=BEST_COLOUR)
    for number, points in enumerate(curves.values()):
        for finite, run in groupby(points, key=lambda point: point[1] is not None):
            if finite:
                yield _curve([(x(step), y(value)) for step, value in run if value is not None], number)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the greatest value with some air; a flat line lies in the middle."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    air = (high - low) * AIR or abs(low) * AIR or 1.0
    return low - air, high + air


def _curve(places: Sequence[tuple[float, float]], number: int) -> str:
    colour = COLOURS[number % len(COLOURS)]
    if len(places) == 1:
        return f'<circle cx="{places[0][0]}" cy="{places[0][1]}" r="2.5" fill="{colour}"/>'
    corners = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _legend(names: Sequence[str]) -> str:
    """Return the curves' names in their colours, in one line."""
    spans = (
        f'<tspan fill="{COLOURS[number % len(COLOURS)]}" dx="{10 if number else 0}">{escape(name)}</tspan>'
        for number, name in enumerate(names)
    )
    return f'<text x="{LEFT}" y="32" font-size="11">{"".join(spans)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"{dashed}/>'


def _text(text: str, x: float, y: float, *, size: int = 11, anchor: str = "start", colour: str = "#222") -> str:
    place = f'x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(text)}</text>"


def _number(value: float) -> str:
    return f"{value:.6g}"
