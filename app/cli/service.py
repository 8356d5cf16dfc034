"""`forger serve`, `forger doctor`, `forger migrate`, `forger --version`."""

import os
from typing import Annotated, Literal

import typer

LEVEL = "FORGER_LOG_LEVEL"


def serve(
    only: Annotated[
        Literal["api", "worker", "inference"] | None,
        typer.Option(help="One part, in this very process, as in a container."),
    ] = None,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option(envvar=LEVEL, help="Least severe line written; debug: also those of migrations and Redis."),
    ] = None,
) -> None:
    """Run the service: API, workers and, without REDIS_URL, an embedded Redis. Its address is the last line."""
    if log_level is not None:  # its parts read it from the environment too
        os.environ[LEVEL] = log_level
    from app.core.settings import get_settings
    from app.embedded.serve import become
    from app.embedded.serve import serve as run

    if only is not None:
        become(get_settings(), only)
    run(get_settings(), typer.echo)


def doctor() -> None:
    """Say what this machine offers, what is missing, and what to do about it."""
    from app.core.settings import get_settings
    from app.embedded.doctor import examine

    findings = examine(get_settings())
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.name:9} {finding.message}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def migrate() -> None:
    """Bring the database to the newest migration."""
    from app.embedded.serve import migrated

    migrated()
    typer.echo("The database is at the newest migration.")


def version(wanted: bool) -> None:
    """Prints the version and ends, before any command."""
    if wanted:
        from app.core.version import VERSION

        typer.echo(f"forger {VERSION}")
        raise typer.Exit
