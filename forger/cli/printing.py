"""Print replies: tables, facts, JSON, times and sizes in words."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.table import Table


PIPE_WIDTH = 100
"""characters of a line where the output is no terminal"""
LONGEST_WHOLE_WORD = 20
"""characters of the longest word that a table does not break"""
MAX_COLUMN_WIDTH = 36
"""characters that a column may claim before another one moves to the next table"""
_WORD = re.compile(r"[A-Za-z_]+")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; `best` marks the best value of its row or column."""

    text: str
    best: bool = False

    @property
    def marked_text(self) -> str:
        return f"{self.text} *" if self.best else self.text


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns under their names, at most as wide as a line; long cells wrap."""
    from rich.table import Table

    lines = [[_cell_text(cell) for cell in row] for row in rows]
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
    for name, *cells in zip(head, *lines, strict=True):
        drawn.add_column(name, overflow="fold", min_width=_longest_word(name, *cells))
    for line in lines:
        drawn.add_row(*line)
    printer = console()
    with printer.capture() as printed:
        printer.print(drawn)
    for text in printed.get().splitlines():
        typer.echo(text.rstrip())


def print_marked_table(head: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None = None) -> None:
    """Print a table with a star after each best value: the first column to the left, the others to the right.

    Columns that do not fit into a line follow in a further table, which repeats the first column.
    """
    cells, width, printer = list(rows), line_width(), console()
    for number, columns in enumerate(
        _column_groups([head, *([cell.marked_text for cell in row] for row in cells)], width)
    ):
        part = [[row[column] for column in columns] for row in cells]
        printer.print(_marked_table([head[column] for column in columns], part, None if number else title))


def console() -> "Console":
    """Return a console that prints text as it is: without markup, emoji and automatic colours."""
    from rich.console import Console

    return Console(width=line_width(), highlight=False, markup=False, emoji=False)


def line_width() -> int:
    """Return the characters of a line: those of the terminal, or PIPE_WIDTH."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH


def print_json(body: "BaseModel | Sequence[BaseModel] | dict[str, Any]") -> None:
    """Print one reply as the service sends it, a list as {"data": [...]}."""
    plain: Any = body
    if isinstance(body, Sequence):
        plain = {"data": [entry.model_dump(mode="json", by_alias=True) for entry in body]}
    elif not isinstance(body, dict):
        plain = body.model_dump(mode="json", by_alias=True)
    typer.echo(json.dumps(plain, indent=2))


def print_facts(facts: Mapping[str, object]) -> None:
    """Print a name and its value on each line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:{width}}  {value}")


def local_time(at: float | None) -> str | None:
    """Return epoch seconds as local time, to the second."""
    from datetime import datetime

    return None if at is None else datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def duration_words(seconds: float) -> str:
    """Return a duration in words, rounded for planning."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 100:
        return f"about {minutes} minute{'s' * (minutes > 1)}"
    return f"about {seconds / 3600:.1f} hours"


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return an object as facts: a nested value is named by its path, as outer.inner."""
    facts: dict[str, str] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            facts |= flatten(value, f"{prefix}{name}.")
        else:
            facts[prefix + name] = _short(value)
    return facts


def one_line(data: Mapping[str, Any]) -> str:
    """Return an object in one line, with short numbers."""
    return "  ".join(f"{name}={_short(value)}" for name, value in data.items())


def _short(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case dict():
            return "{" + one_line(value) + "}"
        case _:
            return str(value)


def _cell_text(value: object) -> str:
    return "-" if value is None else str(value)


def _longest_word(*cells: str) -> int:
    """Return the length of the longest word that stays whole: critic_saturated is one word, a long id is not."""
    words = (word for cell in cells for word in _WORD.findall(cell))
    return max((len(word) for word in words if len(word) <= LONGEST_WHOLE_WORD), default=1)


def _column_groups(lines: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Return the columns' numbers in groups that fit into `width`; the first column is in each group."""
    sizes = [min(max(map(len, column)) + 2, MAX_COLUMN_WIDTH) for column in zip(*lines, strict=True)]
    groups = [[0]]
    for column in range(1, len(sizes)):
        if len(groups[-1]) > 1 and sum(sizes[member] for member in groups[-1]) + sizes[column] > width:
            groups.append([0])
        groups[-1].append(column)
    return groups


def _marked_table(head: Sequence[str], rows: Iterable[Sequence[Cell]], title: str | None) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell.marked_text, style="bold green") if cell.best else cell.text for cell in row))
    return table
