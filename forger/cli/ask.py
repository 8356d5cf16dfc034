"""Helpers that commands share: the client, the words that name a job, and the printing of replies."""

import itertools
import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forger.cli.refusals import Refusal
from forger.wire import ID_END

if TYPE_CHECKING:
    from pydantic import BaseModel

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
WIDE, NARROW, WORD = 100, 6, 20
_WORD = re.compile(r"[A-Za-z_]+")
"""characters of a line in a pipe, and of a column that is made narrower"""

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
    """Columns under their names, no wider than the terminal, or WIDE in a pipe: long cells go on below."""
    lines = [list(head), *([_cell(cell) for cell in row] for row in rows)]
    columns = list(zip(*lines, strict=True))
    widths = fitted([max(map(len, column)) for column in columns], room(), [_longest_word(*own) for own in columns])
    for line in lines:
        cells = [textwrap.wrap(cell, size) or [""] for cell, size in zip(line, widths, strict=True)]
        for parts in itertools.zip_longest(*cells, fillvalue=""):
            typer.echo("  ".join(f"{part:{size}}" for part, size in zip(parts, widths, strict=True)).rstrip())


def room() -> int:
    """Characters of a line."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def fitted(widths: Sequence[int], width: int, words: Sequence[int]) -> list[int]:
    """Widths of columns two apart, the widest made narrower until they fit, none below NARROW.

    None is made narrower than its longest word before the others are.
    """
    sizes = list(widths)
    for floors in ([max(NARROW, word) for word in words], [NARROW] * len(sizes)):
        while sum(sizes) + 2 * (len(sizes) - 1) > width:
            wide = [column for column, size in enumerate(sizes) if size > floors[column]]
            if not wide:
                break
            sizes[max(wide, key=sizes.__getitem__)] -= 1
    return sizes


def _longest_word(*cells: str) -> int:
    """Letters of the longest word, a kind such as critic_saturated being one; what is longer than WORD is none."""
    return max((len(word) for cell in cells for word in _WORD.findall(cell) if len(word) <= WORD), default=0)


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
    """A name and its value to a line."""
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
