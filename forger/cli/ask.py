"""Helpers that commands share: the client, the words that name a job, and the printing of replies."""

import json
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forger.cli.refusals import Refusal
from forger.wire import ID_END

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from forger.client import Forger
    from forger.job import Job
    from forger.schemas.base import Health

NEWEST = "last"
RECENT = 1000
"""jobs among which the beginning or end of an id is looked for"""
CANDIDATES = 5
"""ids that are told where a short one may be several"""
HEX = 32
"""characters of an id after its prefix"""
WIDE, WHOLE = 100, 20
"""characters of a line in a pipe, and of a word that is not broken"""
_WORD = re.compile(r"[A-Za-z_]+")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Target:
    """What the global options name; None leaves it to the environment."""

    url: str | None
    key: str | None


def forger(ctx: typer.Context) -> "Forger":
    """A client that is closed when the command ends."""
    from forger.client import Forger

    target: Target = ctx.obj
    client = Forger(target.url, target.key)
    ctx.call_on_close(client.close)
    return client


def find_job(forger: "Forger", word: str) -> "Job":
    """By id, by the beginning or end of an id that only one job has, or `last` for the newest."""
    if is_whole(word, "job_"):
        return forger.job(word)
    recent = {job.id: job for job, _ in zip(forger.jobs(), range(1 if word == NEWEST else RECENT), strict=False)}
    if word == NEWEST and not recent:
        raise Refusal("There is no job yet: start one with `forger train cdcgan`.")
    return recent[pick(word, list(recent), "job", "forger jobs")]


def is_whole(word: str, prefix: str) -> bool:
    return word.startswith(prefix) and len(word) == len(prefix) + HEX


def pick(word: str, ids: Sequence[str], what: str, lister: str) -> str:
    """The one id, newest first, that `last`, or its beginning or end, names. Raises Refusal with the candidates."""
    if word == NEWEST and ids:
        return ids[0]
    bare = word.partition("_")[2] if word.startswith(tuple(id_.partition("_")[0] + "_" for id_ in ids)) else word
    found = [id_ for id_ in ids if bare and (id_.endswith(bare) or id_.partition("_")[2].startswith(bare))]
    if len(found) > 1:
        more = f" and {len(found) - CANDIDATES} more" if len(found) > CANDIDATES else ""
        raise Refusal(
            f"'{word}' may be {len(found)} {what}s: {', '.join(found[:CANDIDATES])}{more}. Write more of the id."
        )
    if not found:
        raise Refusal(f"No {what}'s id begins or ends with '{word}'; `{lister}` lists them.")
    return found[0]


def end(id_: str) -> str:
    """The end of an id, by which a command takes it while no other id ends so."""
    return id_[-ID_END:]


def short(ids: Sequence[str]) -> dict[str, str]:
    """The ends of ids, as long as they must be to tell them apart, and no shorter than eight signs."""
    length = next(n for n in range(ID_END, HEX + 1) if n == HEX or len({id_[-n:] for id_ in ids}) == len(set(ids)))
    return {id_: id_[-length:] for id_ in ids}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns under their names, no wider than the terminal, or than WIDE in a pipe; long cells wrap."""
    from rich.table import Table

    lines = [[_cell(cell) for cell in row] for row in rows]
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


def _longest_word(*cells: str) -> int:
    """Return the letters of the longest word that stays whole: critic_saturated is one word, a long id is none."""
    return max((len(word) for cell in cells for word in _WORD.findall(cell) if len(word) <= WHOLE), default=1)


def console() -> "Console":
    """Return what prints text as it is written: without markup, emoji and colours of its own choice."""
    from rich.console import Console

    return Console(width=room(), highlight=False, markup=False, emoji=False)


def room() -> int:
    """Characters of a line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


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


def lasting(seconds: float) -> str:
    """A time in words, as one plans by it."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes < 100:
        return f"about {minutes} minute{'s' * (minutes > 1)}"
    return f"about {seconds / 3600:.1f} hours"


def health(known: "Health | None") -> str | None:
    """In a word: the trouble, or how it is."""
    return None if known is None else known.kind or known.state


def pairs(facts: Mapping[str, object]) -> None:
    """Print a name and its value on each line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        typer.echo(f"{name:{width}}  {value}")


def lines(data: Mapping[str, Any], inside: str = "") -> dict[str, str]:
    """An object as facts, a line each: what stands in objects inside by the names that lead to it."""
    found: dict[str, str] = {}
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            found |= lines(value, f"{inside}{name}.")
        else:
            found[inside + name] = _short(value)
    return found


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
