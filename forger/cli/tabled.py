"""Tables with a mark on what is best, drawn by rich: no wider than the terminal, or than a line in a pipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forger.cli import ask

if TYPE_CHECKING:
    from rich.table import Table

MOST = 36
"""characters that a column may claim before another goes into the next table"""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    best: bool = False

    @property
    def told(self) -> str:
        return f"{self.text} *" if self.best else self.text


def show(head: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None) -> None:
    """The first column to the left, the others to the right; a star after what is best.

    Columns that do not fit beside the others stand in a further table, after the first column again.
    """
    kept, width, console = list(rows), ask.room(), ask.console()
    for number, chosen in enumerate(_groups([head, *([cell.told for cell in row] for row in kept)], width)):
        part = [[row[column] for column in chosen] for row in kept]
        console.print(_table([head[column] for column in chosen], part, None if number else title))


def _groups(lines: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Columns by their numbers, in groups that fit; the first is in each."""
    sizes = [min(max(map(len, column)) + 2, MOST) for column in zip(*lines, strict=True)]
    groups = [[0]]
    for column in range(1, len(sizes)):
        if len(groups[-1]) > 1 and sum(sizes[own] for own in groups[-1]) + sizes[column] > width:
            groups.append([0])
        groups[-1].append(column)
    return groups


def _table(head: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell.told, style="bold green") if cell.best else cell.text for cell in row))
    return table


def setting(value: Any) -> str:
    """A part of a recipe in few signs: a part that has a kind by its kind, and what else is set in brackets."""
    match value:
        case None:
            return "-"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.6g}"
        case list():
            return ", ".join(map(setting, value)) or "none"
        case {"kind": str(kind), **rest}:
            return kind + (f"({_parts(rest)})" if rest else "")
        case dict():
            return f"({_parts(value)})"
        case _:
            return str(value)


def _parts(parts: Mapping[Any, Any]) -> str:
    return ", ".join(f"{name}={setting(part)}" for name, part in parts.items())
