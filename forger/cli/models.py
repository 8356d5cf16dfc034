"""Run `forger models`: list, show, publish, import, export, delete."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common, complete, printing
from forger.cli.pictures import value_by_ending
from forger.cli.refusals import Refusal
from forger.text import health_word
from forger.wire import ExportFormat

if TYPE_CHECKING:
    from forger.schemas.catalog import VersionOut

ZIP_ONLY = {"zip": "zip"}
group = typer.Typer(help="List, show, publish, import, export and delete models.")

Reference = Annotated[
    str, typer.Argument(help="name@version, or name for its newest version.", autocompletion=complete.models)
]


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
def show(
    ctx: typer.Context,
    reference: Annotated[
        str, typer.Argument(help="name@version, or name for all its versions.", autocompletion=complete.models)
    ],
    as_json: common.AsJson = False,
) -> None:
    """Show one version of a model, or every version, with its card."""
    model = common.client(ctx).model(reference)
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
    name: Annotated[str, typer.Argument(help="Name of the model, without a version.", autocompletion=complete.models)],
    checkpoint: Annotated[str, typer.Argument(help="A checkpoint's id; `forger jobs show ID` lists them.")],
) -> None:
    """Publish a checkpoint as the next version of a name."""
    forger = common.client(ctx)
    version = forger.publish(name, checkpoint)
    typer.echo(f"{version.model} is published at {forger.url}, from step {version.step}.")


@group.command("import", no_args_is_help=True)
def import_(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="An export of Forger or its ZIP, or a state dict: safetensors or .pth."),
    ],
    name: Annotated[str, typer.Option(help="Name of the model, without a version.", autocompletion=complete.models)],
    b2a: Annotated[Path | None, typer.Option(help="The generator of the way back: CycleGAN's net_G_B.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the weights, or unknown; kept on the card.")] = None,
    source: Annotated[str | None, typer.Option(help="Where they are from, or unknown; kept on the card.")] = None,
) -> None:
    """Import weights: `forger models import G.pth --name horse2zebra --licence BSD-2-Clause --source github.com/x`."""
    for each in (file, *([b2a] if b2a else [])):
        if not each.is_file():
            raise Refusal(f"{each} is no file: name a safetensors file or a .pth with a generator's weights.")
    if not licence:
        raise Refusal("Add --licence, that of the weights, for all who use them: --licence MIT, or unknown.")
    if not source:
        raise Refusal("Add --source, where the weights are from: an address, a paper, or unknown.")
    forger = common.client(ctx)
    version = forger.import_model(file, name, b2a=b2a, licence=licence, source=source)
    typer.echo(f"{version.model} is imported at {forger.url}, from the layout {version.card['imported']['layout']}.")
    for note in version.card["imported"]["notes"]:
        typer.echo(note)


@group.command(no_args_is_help=True)
def export(
    ctx: typer.Context,
    reference: Reference,
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
    version = forger.version(reference).model
    file = output or Path(f"{version}-{format_}.zip")
    value_by_ending(file, ZIP_ONLY)
    exported = forger.export(version, file, format_)
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
