"""`forger models`: list, show, publish, delete."""

from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import ask, complete

if TYPE_CHECKING:
    from forger.schemas.catalog import VersionOut

group = typer.Typer(help="What jobs have published.")

Name = Annotated[str, typer.Argument(help="A model's name.", autocompletion=complete.models)]


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: ask.AsJson = False) -> None:
    """List models by name, with their newest version."""
    if ctx.invoked_subcommand is not None:
        return
    known = ask.forger(ctx).models()
    if as_json:
        ask.put_json(known)
        return
    rows = (_row(one.latest, len(one.versions)) for one in known)
    ask.table(("MODEL", "GAME", "DATASET", "CLASSES", "STEP", "HEALTH", "CREATED", "VERSIONS"), rows)


def _row(newest: "VersionOut", count: int) -> tuple[object, ...]:
    return (
        newest.model,
        newest.game,
        newest.dataset,
        newest.classes or None,
        newest.step,
        ask.health(newest.health),
        ask.when(newest.created_at),
        count,
    )


@group.command()
def show(ctx: typer.Context, name: Name, as_json: ask.AsJson = False) -> None:
    """Every version of a model, with its card."""
    model = ask.forger(ctx).model(name)
    if as_json:
        ask.put_json(model)
        return
    for number, one in enumerate(model.versions):
        if number:
            typer.echo()
        facts = {"model": one.model, "step": str(one.step), "job": one.job, "created": ask.when(one.created_at)}
        ask.pairs({name: value for name, value in (facts | ask.lines(one.card)).items() if value is not None})


@group.command(no_args_is_help=True)
def publish(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The name it gets.", autocompletion=complete.models)],
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's id; `forger jobs show ID` lists them.")],
) -> None:
    """Publish a checkpoint as the next version of a name."""
    forger = ask.forger(ctx)
    version = forger.publish(name, checkpoint)
    typer.echo(f"{version.model} is published at {forger.url}, from step {version.step}.")


@group.command(no_args_is_help=True)
def delete(
    ctx: typer.Context,
    reference: Annotated[str, typer.Argument(help="name@version, or name for all.", autocompletion=complete.models)],
) -> None:
    """Withdraw a version, or every version of a name."""
    forger = ask.forger(ctx)
    forger.delete_model(reference)
    typer.echo(f"{reference} is deleted at {forger.url}.")
