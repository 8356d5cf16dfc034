"""Open the client for a command, and look up jobs by short ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli.refusals import Refusal
from forger.wire import ID_SUFFIX_LENGTH

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.job import Job

NEWEST = "last"
MAX_SEARCHED = 1000
"""newest entries that a short id is looked up in"""
MAX_CANDIDATES = 5
"""ids that a refusal names where a short id is ambiguous"""
ID_HEX_DIGITS = 32
"""hex digits of an id, after its prefix"""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(frozen=True, slots=True)
class Target:
    """The service that the global options name; None means the value of the environment."""

    url: str | None
    key: str | None


def client(ctx: typer.Context) -> "Forger":
    """Return a client that is closed when the command ends."""
    from forger.client import Forger

    target: Target = ctx.obj
    forger = Forger(target.url, target.key)
    ctx.call_on_close(forger.close)
    return forger


def find_job(forger: "Forger", word: str) -> "Job":
    """Return the job that `word` names: an id, the unique beginning or end of one, or `last` for the newest.

    Raises Refusal if there is no such job, or several.
    """
    if is_full_id(word, "job_"):
        return forger.job(word)
    count = 1 if word == NEWEST else MAX_SEARCHED
    recent = {job.id: job for job, _ in zip(forger.jobs(), range(count), strict=False)}
    if word == NEWEST and not recent:
        raise Refusal("There is no job yet: start one with `forger train cdcgan`.")
    return recent[match_id(word, list(recent), "job", "forger jobs")]


def is_full_id(word: str, prefix: str) -> bool:
    return word.startswith(prefix) and len(word) == len(prefix) + ID_HEX_DIGITS


def match_id(word: str, ids: Sequence[str], what: str, list_command: str) -> str:
    """Return the one id of `ids`, newest first, that `word` names by its beginning or end, or as `last`.

    Raises Refusal, with the candidates, if there is none or several; `what` names an entry in the sentence.
    """
    if word == NEWEST and ids:
        return ids[0]
    bare = word.partition("_")[2] if word.startswith(tuple(id_.partition("_")[0] + "_" for id_ in ids)) else word
    matches = [id_ for id_ in ids if bare and (id_.endswith(bare) or id_.partition("_")[2].startswith(bare))]
    if len(matches) > 1:
        more = f" and {len(matches) - MAX_CANDIDATES} more" if len(matches) > MAX_CANDIDATES else ""
        raise Refusal(
            f"'{word}' may be {len(matches)} {what}s: {', '.join(matches[:MAX_CANDIDATES])}{more}. "
            "Write more of the id."
        )
    if not matches:
        raise Refusal(f"No {what}'s id begins or ends with '{word}'; `{list_command}` lists them.")
    return matches[0]


def id_suffix(id_: str) -> str:
    """Return the end of an id; commands accept it while no other id has the same end."""
    return id_[-ID_SUFFIX_LENGTH:]


def short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return the shortest ends that tell the ids apart, by id; all have one length, at least eight characters."""
    lengths = range(ID_SUFFIX_LENGTH, ID_HEX_DIGITS + 1)
    length = next(n for n in lengths if n == ID_HEX_DIGITS or len({id_[-n:] for id_ in ids}) == len(set(ids)))
    return {id_: id_[-length:] for id_ in ids}
