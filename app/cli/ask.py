"""What commands share: the service they speak to, the terminal they write to, and the words for a job."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.refusals import Refusal

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from app.client import Forger, Job

NEWEST = "last"
RECENT = 1000
"""jobs among which the end of an id is looked for"""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Target:
    """What the global options name; None leaves it to the environment."""

    url: str | None
    key: str | None


def forger(ctx: typer.Context) -> "Forger":
    """A client that is closed when the command ends."""
    from app.client import Forger

    target: Target = ctx.obj
    client = Forger(target.url, target.key)
    ctx.call_on_close(client.close)
    return client


def find_job(forger: "Forger", word: str) -> "Job":
    """By id, by the end of an id that only one job has, or `last` for the newest."""
    if word == NEWEST:
        for job in forger.jobs():
            return job
        raise Refusal("There is no job yet: start one with `forger train cdcgan`.")
    if word.startswith("job_"):
        return forger.job(word)
    return _by_ending(forger, word)


def _by_ending(forger: "Forger", word: str) -> "Job":
    found = [job for job, _ in zip(forger.jobs(), range(RECENT), strict=False) if job.id.endswith(word)]
    if len(found) > 1:
        raise Refusal(f"{len(found)} jobs end in '{word}': write more of the id.")
    if not found:
        raise Refusal(f"No job's id ends in '{word}'; `forger jobs` lists them.")
    return found[0]


def console(*, err: bool = False) -> "Console":
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True, stderr=err)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under their names; nothing but the head when there are no rows."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        drawn.add_column(name, no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text("-" if cell is None else str(cell)) for cell in row))
    terminal = console()
    terminal.print(drawn, width=None if terminal.is_terminal else 1000, crop=False)


def put_json(body: "BaseModel | Sequence[BaseModel] | dict[str, Any]") -> None:
    """As the service says it, one object; a list as {"data": [...]}."""
    plain: Any = body
    if isinstance(body, Sequence):
        plain = {"data": [entry.model_dump(mode="json", by_alias=True) for entry in body]}
    elif not isinstance(body, dict):
        plain = body.model_dump(mode="json", by_alias=True)
    typer.echo(json.dumps(plain, indent=2))


def when(at: float | None) -> str | None:
    """Local time to the second."""
    from datetime import datetime

    return None if at is None else datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")


def pairs(facts: Mapping[str, object]) -> None:
    """A name and its value to a line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:{width}}  {value}")


def brief(data: Mapping[str, Any]) -> str:
    """An object in one line, its numbers short."""
    return "  ".join(f"{name}={_short(value)}" for name, value in data.items())


def _short(value: Any) -> str:
    match value:
        case float():
            return f"{value:.4g}"
        case dict():
            return "{" + brief(value) + "}"
        case _:
            return str(value)
