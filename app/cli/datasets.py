"""`forger datasets`: list, show, sheet, upload, delete."""

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli import ask, complete
from app.cli.pictures import PNG, Out, by_ending, write
from app.cli.refusals import Refusal
from app.cli.report import findings
from app.core.limits import NAME_LENGTH

if TYPE_CHECKING:
    from app.client import Taken
    from app.schemas.catalog import DatasetDetail

group = typer.Typer(help="What a job can learn from: the built-in datasets and your own.")

Layout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
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
def show(ctx: typer.Context, name: Name, as_json: ask.AsJson = False) -> None:
    """What a dataset is; of an uploaded one also what its intake found."""
    _show(ask.forger(ctx).dataset(name), as_json=as_json)


@group.command(no_args_is_help=True)
def upload(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A zip of pictures, or a folder, which is sent as one.")],
    name: Annotated[str | None, typer.Option(help="What it is called; default: as the file or folder.")] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="What its members are to each other; default: by the names of folders.")
    ] = None,
    fit: Annotated[
        Literal["crop", "pad", "tiles"] | None, typer.Option(help="Of what is not square: its middle unless named.")
    ] = None,
    depth: Annotated[
        Literal["auto", "10", "12", "14", "16"] | None, typer.Option(help="Bits that count in samples of 16.")
    ] = None,
    labels: Annotated[
        Literal["auto", "none", "a", "b"] | None, typer.Option(help="The pile that is label maps.")
    ] = None,
    as_json: ask.AsJson = False,
) -> None:
    """Upload pictures to learn from: `forger datasets upload photos/ --name photos`."""
    if not path.exists():
        raise Refusal(f"{path} is not there: name a zip or a folder of pictures.")
    called = name or name_of(path)
    if name is None and called != _own_name(path):
        typer.echo(f"{path.name} is uploaded as {called}; --name chooses another name.", err=True)
    taken: Taken = {"fit": fit, "depth": depth, "labels": labels}
    _show(ask.forger(ctx).upload(path, called, layout, **taken), as_json=as_json)


@group.command(no_args_is_help=True)
def sheet(ctx: typer.Context, name: Name, output: Out = Path("sheet.png")) -> None:
    """Some pictures of an uploaded dataset, as training will see them."""
    by_ending(output, PNG)
    write(ask.forger(ctx).sheet(name), output, f"pictures of {name}")


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, name: Name) -> None:
    """Delete an uploaded dataset that no job and no model needs."""
    forger = ask.forger(ctx)
    forger.delete_dataset(name)
    typer.echo(f"{name} is deleted at {forger.url}.")


def name_of(path: Path) -> str:
    """A name that a dataset may have, as much like that of its folder or zip as can be."""
    plain = unicodedata.normalize("NFKD", _own_name(path)).encode("ascii", "ignore").decode()
    spelled = re.sub(r"[^a-z0-9._-]+", "-", plain.lower()).strip("-._")
    return spelled[:NAME_LENGTH].rstrip("-._") or "pictures"


def _own_name(path: Path) -> str:
    whole = path.resolve()
    return whole.name if path.is_dir() else whole.stem


def _show(dataset: "DatasetDetail", *, as_json: bool) -> None:
    if as_json:
        ask.put_json(dataset)
        return
    shape = f"{dataset.side} x {dataset.side} px, channels: {dataset.channels}" if dataset.side else None
    facts = {
        "dataset": dataset.name,
        "title": dataset.title,
        "kind": dataset.kind,
        "examples": dataset.size,
        "shape": shape,
        "classes": dataset.classes or None,
        "source": dataset.source,
    }
    told = {} if dataset.report is None else findings(dataset.report)
    ask.pairs({name: value for name, value in (facts | told).items() if value is not None})
