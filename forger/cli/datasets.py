"""`forger datasets`: list, show, sheet, upload, delete; and the report on an upload in words."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forger.cli import ask, complete
from forger.cli.pictures import PNG, Out, by_ending, write
from forger.cli.refusals import Refusal
from forger.wire import NAME_LENGTH

if TYPE_CHECKING:
    from forger.schemas.catalog import DatasetDetail
    from forger.schemas.dataset_report import Report, Span

group = typer.Typer(help="What a job can learn from: the built-in datasets and your own.")

SHOWN = 8
"""entries of a list that are named; --json has more"""
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
    _show(ask.forger(ctx).upload(path, called, layout, fit=fit, depth=depth, labels=labels), as_json=as_json)


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


def findings(report: "Report") -> dict[str, object]:
    """A sentence for each thing worth knowing; None where there is nothing to tell."""
    kinds = {
        "grey": report.grey,
        "colour": report.colour,
        "with alpha": report.alpha,
        "of 16 bits": report.sixteen_bit,
        f"smaller than {report.transform.side} px": report.enlarged,
    }
    return {
        "layout": report.layout,
        "pictures": f"{report.pictures} used, {report.left_out} left out",
        "width": _span(report.width),
        "height": _span(report.height),
        "formats": _counts(report.formats),
        "of these": _counts({name: count for name, count in kinds.items() if count}),
        "classes": _classes(report),
        "balance": None if report.balance is None else f"{report.balance:.2f}, the smallest class over the largest",
        "piles": _piles(report) or None,
        "held out": report.held_out or None,
        "damaged": _corrupt(report),
        "turned into sRGB": _counts(report.profiles) or None,
        "passed over": report.skipped.total or None,
        "near constant": _listed(report.near_constant.total, report.near_constant.first),
        "duplicates": _listed(report.duplicates.total, [" = ".join(same) for same in report.duplicates.first]),
        "ignored": _listed(report.ignored.total, report.ignored.first),
        "note": " ".join(report.notes) or None,
        "training sees": "; ".join(report.transform.steps),
    }


def _span(span: "Span") -> str:
    if span.least == span.most:
        return f"{span.least} px"
    return f"{span.least} to {span.most} px, half of them below {span.median:g}"


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counted.items())


def _classes(report: "Report") -> str | None:
    return _listed(report.classes.total, [f"{one.name} ({one.pictures})" for one in report.classes.first])


def _piles(report: "Report") -> str:
    """`a: dusk (41), b: day (40)`; halves of one picture, and piles of older reports, have no folder to name."""
    known = report.folders
    return ", ".join(
        f"{pile}: {known[pile]} ({count})" if pile in known else f"{pile}: {count}"
        for pile, count in report.piles.items()
    )


def _corrupt(report: "Report") -> str | None:
    named = [f"{one.name} ({one.reason.rstrip('.')})" for one in report.corrupt.first]
    return _listed(report.corrupt.total, named)


def _listed(total: int, words: Sequence[str]) -> str | None:
    if not total:
        return None
    more = total - min(SHOWN, len(words))
    return f"{total}: {', '.join(words[:SHOWN])}{f' and {more} more' if more else ''}"
