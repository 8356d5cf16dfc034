"""Tables with a mark on what is best, drawn by rich: as wide as the terminal, or as they need where none is."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDE = 400
"""characters of a line where no terminal cuts it"""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    best: bool = False


def show(head: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None) -> None:
    """The first column to the left, the others to the right; a star after what is best."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(f"{cell.text} *", style="bold green") if cell.best else cell.text for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDE, highlight=False, markup=False).print(table)


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
