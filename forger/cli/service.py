"""Run `forger serve`, `forger doctor` and `forger migrate`, which need the service's code, and `--version`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, Literal

import typer

from forger.cli.refusals import Refusal

LEVEL = "FORGER_LOG_LEVEL"


def serve(
    only: Annotated[
        Literal["api", "worker", "inference"] | None,
        typer.Option(help="Run one part in this process, as in a container."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(envvar=LEVEL, help="Least severe log line; debug adds those of migrations and Redis."),
    ] = None,
) -> None:
    """Run the service: API, workers and, without REDIS_URL, an embedded Redis. The last line names its address."""
    # The parts read it from the environment.
    if log_level is not None:
        os.environ[LEVEL] = log_level
    with _commands("serve") as commands:
        commands.serve(only, typer.echo)


def doctor() -> None:
    """Check this machine: what it offers, what is missing, and what to do about it."""
    with _commands("doctor") as commands:
        findings = commands.doctor()
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.name:9} {finding.message}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def migrate() -> None:
    """Migrate the database to the newest revision."""
    with _commands("migrate") as commands:
        commands.migrate()
    typer.echo("The database is at the newest migration.")


def version(wanted: bool) -> None:
    """Print the version and exit, before any command."""
    if wanted:
        from forger.wire import VERSION

        typer.echo(f"forger {VERSION}")
        raise typer.Exit


@contextmanager
def _commands(name: str) -> Iterator[Any]:
    """Yield the service's module of these commands. Raises Refusal if it is not installed, and for its refusals.

    Its code is imported from this package's checkout first: the current folder may have an `app` of its own.
    """
    from forger.address import CHECKOUT

    if CHECKOUT is None:
        raise Refusal(
            f"`forger {name}` runs from a checkout of Forger or from its image, and this environment has the client "
            "alone: clone the repository and type `make setup` there, or set FORGER_URL to a service that runs."
        )
    sys.path.insert(0, str(CHECKOUT))
    commands = import_module("app.embedded.commands")
    try:
        yield commands
    except Exception as error:
        sentence = commands.error_sentence(error)
        if sentence is None:
            raise
        raise Refusal(sentence) from error
