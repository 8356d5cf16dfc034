"""Shell completion: names that the service knows, or none while it does not answer."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from app.client import Forger


def families(incomplete: str) -> list[str]:
    from app.core.settings import get_settings
    from app.services import plugins
    from models.spec.families import FAMILIES
    from models.spec.plugins import PluginFailed

    with suppress(PluginFailed):  # the service says so when it starts
        plugins.load(get_settings())
    return _beginning(incomplete, FAMILIES)


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """The built-in ones when no service answers."""
    from models.spec.datasets import DATASETS

    return _beginning(incomplete, _asked(ctx, lambda forger: [known.name for known in forger.datasets()]) or DATASETS)


def models(ctx: typer.Context, incomplete: str) -> list[str]:
    return _beginning(incomplete, _asked(ctx, lambda forger: [known.name for known in forger.models()]))


def jobs(ctx: typer.Context, incomplete: str) -> list[str]:
    known = _asked(ctx, lambda forger: [job.id for job, _ in zip(forger.jobs(), range(50), strict=False)])
    return _beginning(incomplete, ["last", *known])


def states(incomplete: str) -> list[str]:
    from app.core.states import JobState

    return _beginning(incomplete, JobState)


def _beginning(start: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(start)]


def _asked(ctx: typer.Context, names: "Callable[[Forger], list[str]]") -> list[str]:
    from app.client import Forger, ForgerProblem, Unreachable

    given = ctx.find_root().params
    try:
        with Forger(given.get("url"), given.get("key")) as forger:
            return names(forger)
    except (ForgerProblem, Unreachable):
        return []
