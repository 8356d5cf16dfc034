"""The command line: `forger serve`, `forger doctor`, `forger migrate`."""

import typer

from app.core.settings import get_settings

cli = typer.Typer(
    help="Trains generative adversarial networks as jobs and serves what they learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@cli.command()
def serve() -> None:
    """Run the service: API, worker and, without REDIS_URL, an embedded Redis."""
    from app.embedded.errors import CannotServe
    from app.embedded.serve import serve as run

    try:
        run(get_settings(), typer.echo)
    except CannotServe as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


@cli.command()
def doctor() -> None:
    """Say what this machine offers and what is missing."""
    from app.embedded.doctor import examine

    findings = examine(get_settings())
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.name:9} {finding.message}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


@cli.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    from app.db.migrate import upgrade

    upgrade()
    typer.echo("The database is at the newest migration.")


def main() -> None:
    cli()


if __name__ == "__main__":
    main()
