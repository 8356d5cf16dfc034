"""Shell completion: names that the service knows, or none while it does not answer."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import typer

from forger.wire import JobState

if TYPE_CHECKING:
    from forger.client import Forger

PATIENCE_S = 1.0
"""that a person who pressed Tab waits for a reply"""
RECENT = 50
"""jobs whose ids are offered"""


def families(ctx: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _asked(ctx, lambda forger: [known.name for known in forger.recipes()]))


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _asked(ctx, lambda forger: [known.name for known in forger.datasets()]))


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _asked(ctx, lambda forger: [known.name for known in forger.models()]))


def jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    known = _asked(ctx, lambda forger: [job.id for job in islice(forger.jobs(), RECENT)])
    return _beginning(incomplete, ["last", *known])


def states(incomplete: str) -> list[str]:
    return _beginning(incomplete, JobState)


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _asked(ctx: typer.Context, names: "Callable[[Forger], list[str]]") -> list[str]:
    from forger.client import Forger
    from forger.problems import ForgerProblem, Unreachable

    given = ctx.find_root().params
    try:
        with Forger(given.get("url"), given.get("key"), timeout=PATIENCE_S) as forger:
            return names(forger)
    except (ForgerProblem, Unreachable):
        return []
