"""`forger datasets`: list, show, sheet, upload, delete."""

from typing import Annotated

import typer

from app.cli import ask, complete

group = typer.Typer(help="What a job can learn from: the built-in datasets and your own.")

Name = Annotated[str, typer.Argument(help="A dataset.", autocompletion=complete.datasets)]


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: ask.AsJson = False) -> None:
    """List datasets."""
    if ctx.invoked_subcommand is not None:
        return
    known = ask.forger(ctx).datasets()
    if as_json:
        ask.put_json(known)
        return
    rows = (
        (one.name, one.kind, one.side or None, one.channels or None, one.classes or None, one.size, one.title)
        for one in known
    )
    ask.table(("DATASET", "KIND", "SIDE", "CHANNELS", "CLASSES", "EXAMPLES", "TITLE"), rows)


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, name: Name) -> None:
    """Delete an uploaded dataset that no job and no model needs."""
    ask.forger(ctx).delete_dataset(name)
    typer.echo(f"{name} is deleted.")
