"""`forger serve`, `forger doctor`, `forger migrate`, `forger --version`."""

from typing import Annotated, Literal

import typer


def serve(
    only: Annotated[
        Literal["api", "worker", "inference"] | None,
        typer.Option(help="One part, in this very process, as in a container."),
    ] = None,
) -> None:
    """Run the service: API, workers and, without REDIS_URL, an embedded Redis."""
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
    from app.db.migrate import upgrade

    upgrade()
    typer.echo("The database is at the newest migration.")


def version(wanted: bool) -> None:
    """Prints the version and ends, before any command."""
    if wanted:
        from app.core.version import VERSION

        typer.echo(f"forger {VERSION}")
        raise typer.Exit
