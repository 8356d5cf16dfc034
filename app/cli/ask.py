"""What commands share: the service they speak to, the words for a job, and how an answer is printed."""

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.refusals import Refusal

if TYPE_CHECKING:
    from pydantic import BaseModel

    from app.client import Forger, Job
    from app.schemas.base import Health

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
    found = [job for job, _ in zip(forger.jobs(), range(RECENT), strict=False) if word and job.id.endswith(word)]
    if len(found) > 1:
        raise Refusal(f"{len(found)} jobs end in '{word}': write more of the id.")
    if not found:
        raise Refusal(f"No job's id ends in '{word}'; `forger jobs` lists them.")
    return found[0]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns under their names. A terminal gets lines cut to its width, a pipe whole ones."""
    lines = [head, *([_cell(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in lines:
        text = "  ".join(f"{cell:{size}}" for cell, size in zip(line, widths, strict=True)).rstrip()
        typer.echo(text if width is None or len(text) <= width else f"{text[: width - 1]}…")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


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


def health(known: "Health | None") -> str | None:
    """In a word: the trouble, or how it is."""
    return None if known is None else known.kind or known.state


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
