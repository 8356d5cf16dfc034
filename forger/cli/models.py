"""Run `forger models`: list, show, publish, export, delete."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common, complete, printing
from forger.text import health_word
from forger.wire import ExportFormat

if TYPE_CHECKING:
    from forger.schemas.catalog import VersionOut

group = typer.Typer(help="List, show, publish, export and delete models.")

Name = Annotated[str, typer.Argument(help="A model's name.", autocompletion=complete.models)]


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: common.AsJson = False) -> None:
    """List models by name, with their newest version."""
    if ctx.invoked_subcommand is not None:
        return
    models = common.client(ctx).models()
    if as_json:
        printing.print_json(models)
        return
    rows = (_row(model.latest, len(model.versions)) for model in models)
    printing.print_table(("MODEL", "GAME", "DATASET", "CLASSES", "STEP", "HEALTH", "CREATED", "VERSIONS"), rows)


def _row(newest: "VersionOut", count: int) -> tuple[object, ...]:
    return (
        newest.model,
        newest.game,
        newest.dataset,
        newest.classes or None,
        newest.step,
        health_word(newest.health),
        printing.local_time(newest.created_at),
        count,
    )


@group.command()
def show(ctx: typer.Context, name: Name, as_json: common.AsJson = False) -> None:
    """Show every version of a model, with its card."""
    model = common.client(ctx).model(name)
    if as_json:
        printing.print_json(model)
        return
    for number, one in enumerate(model.versions):
        if number:
            typer.echo()
        facts = {
            "model": one.model,
            "step": str(one.step),
            "job": one.job,
            "created": printing.local_time(one.created_at),
        }
        printing.print_facts(
            {name: value for name, value in (facts | printing.flatten(one.card)).items() if value is not None}
        )


@group.command(no_args_is_help=True)
def publish(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the model.", autocompletion=complete.models)],
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's id; `forger jobs show ID` lists them.")],
) -> None:
    """Publish a checkpoint as the next version of a name."""
    forger = common.client(ctx)
    version = forger.publish(name, checkpoint)
    typer.echo(f"{version.model} is published at {forger.url}, from step {version.step}.")


@group.command(no_args_is_help=True)
def export(
    ctx: typer.Context,
    reference: Annotated[
        str, typer.Argument(help="name@version, or name for its newest version.", autocompletion=complete.models)
    ],
    format_: Annotated[
        ExportFormat, typer.Option("--format", help="safetensors: weights and recipe; onnx; torch_export.")
    ] = "safetensors",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The zip to write; name-format.zip by default.", show_default=False),
    ] = None,
) -> None:
    """Save a version as a zip for use without Forger, with a model card. The first one in a format takes a while."""
    forger = common.client(ctx)
    version = reference if "@" in reference else forger.model(reference).versions[0].model
    exported = forger.export(version, output or Path(f"{version}-{format_}.zip"), format_)
    typer.echo(f"{exported.path}: {exported.model} as {format_}, parity {exported.parity}")


@group.command(no_args_is_help=True)
def delete(
    ctx: typer.Context,
    reference: Annotated[
        str, typer.Argument(help="name@version, or name for all its versions.", autocompletion=complete.models)
    ],
) -> None:
    """Withdraw a version, or every version of a name."""
    forger = common.client(ctx)
    forger.delete_model(reference)
    typer.echo(f"{reference} is deleted at {forger.url}.")
