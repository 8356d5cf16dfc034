"""Complete names in the shell: those of the service, or none if it does not answer."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import typer

from forger.wire import JobState

if TYPE_CHECKING:
    from forger.client import Forger

TIMEOUT_S = 1.0
"""seconds to wait for a reply after Tab was pressed"""
MAX_JOBS_OFFERED = 50
"""newest jobs whose ids are offered"""


def families(ctx: typer.Context, incomplete: str) -> list[str]:
    return _starting_with(
        incomplete, _names_from_service(ctx, lambda forger: [entry.name for entry in forger.recipes()])
    )


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    return _starting_with(
        incomplete, _names_from_service(ctx, lambda forger: [entry.name for entry in forger.datasets()])
    )


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    return _starting_with(
        incomplete, _names_from_service(ctx, lambda forger: [entry.name for entry in forger.models()])
    )


def jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    ids = _names_from_service(ctx, lambda forger: [job.id for job in islice(forger.jobs(), MAX_JOBS_OFFERED)])
    return _starting_with(incomplete, ["last", *ids])


def states(incomplete: str) -> list[str]:
    return _starting_with(incomplete, JobState)


def _starting_with(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _names_from_service(ctx: typer.Context, names: "Callable[[Forger], list[str]]") -> list[str]:
    from forger.client import Forger
    from forger.problems import ForgerProblem, Unreachable

    options = ctx.find_root().params
    try:
        with Forger(options.get("url"), options.get("key"), timeout=TIMEOUT_S) as forger:
            return names(forger)
    except (ForgerProblem, Unreachable):
        return []
