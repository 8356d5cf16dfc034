"""Run `forger datasets`: list, show, sheet, pictures, upload, delete; and print the report on an upload."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forger.cli import common, complete, printing
from forger.cli.pictures import FORMATS, PNG_ONLY, Out, save_picture, value_by_ending
from forger.cli.refusals import Refusal
from forger.wire import MAX_NAME_CHARACTERS

if TYPE_CHECKING:
    from forger.schemas.catalog import DatasetDetail
    from forger.schemas.dataset_report import Report, Span

group = typer.Typer(help="List, show and upload datasets.")

MAX_LISTED = 8
"""entries of a list that are printed; --json has more"""
Layout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
BITS: dict[str, Literal[8, 16]] = {"8": 8, "16": 16}
"""values of --bits"""
Name = Annotated[str, typer.Argument(help="A dataset.", autocompletion=complete.datasets)]


@group.callback(invoke_without_command=True)
@group.command("list")
def list_(ctx: typer.Context, as_json: common.AsJson = False) -> None:
    """List datasets."""
    if ctx.invoked_subcommand is not None:
        return
    datasets = common.client(ctx).datasets()
    if as_json:
        printing.print_json(datasets)
        return
    rows = (
        (
            dataset.name,
            dataset.kind,
            dataset.side or None,
            dataset.channels or None,
            dataset.classes or None,
            dataset.size,
            dataset.title,
        )
        for dataset in datasets
    )
    printing.print_table(("DATASET", "KIND", "SIDE", "CHANNELS", "CLASSES", "EXAMPLES", "TITLE"), rows)


@group.command(no_args_is_help=True)
def show(ctx: typer.Context, name: Name, as_json: common.AsJson = False) -> None:
    """Show a dataset; for an uploaded dataset also the report of its intake."""
    _show(common.client(ctx).dataset(name), as_json=as_json)


@group.command(no_args_is_help=True)
def upload(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="A zip of pictures, or a folder, which is sent as dataset.")],
    name: Annotated[str | None, typer.Option(help="Name of the dataset; default: that of the file or folder.")] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="How its members belong together; default: by the names of folders.")
    ] = None,
    fit: Annotated[
        Literal["crop", "pad", "tiles"] | None,
        typer.Option(help="How pictures become square; default: crop the middle."),
    ] = None,
    depth: Annotated[
        Literal["auto", "10", "12", "14", "16"] | None, typer.Option(help="Bits that are used of 16-bit samples.")
    ] = None,
    bits: Annotated[
        Literal["8", "16"] | None, typer.Option(help="Bits of a sample that training keeps; default 8.")
    ] = None,
    labels: Annotated[
        Literal["auto", "none", "a", "b"] | None, typer.Option(help="The domain, a or b, that holds label maps.")
    ] = None,
    as_json: common.AsJson = False,
) -> None:
    """Upload pictures to learn from: `forger datasets upload photos/ --name photos`."""
    if not path.exists():
        raise Refusal(f"{path} does not exist: name a zip or a folder of pictures.")
    called = name or name_of(path)
    if name is None and called != _own_name(path):
        typer.echo(f"{path.name} is uploaded as {called}; --name chooses another name.", err=True)
    kept = None if bits is None else BITS[bits]
    dataset = common.client(ctx).upload(path, called, layout, fit=fit, depth=depth, bits=kept, labels=labels)
    _show(dataset, as_json=as_json)


@group.command(no_args_is_help=True)
def sheet(ctx: typer.Context, name: Name, output: Out = Path("sheet.png")) -> None:
    """Save some pictures of an uploaded dataset in the form that training reads."""
    value_by_ending(output, PNG_ONLY)
    save_picture(common.client(ctx).sheet(name), output, f"pictures of {name}")


@group.command(no_args_is_help=True)
def pictures(
    ctx: typer.Context,
    name: Name,
    class_: Annotated[
        str | None, typer.Option("--class", "-c", help="A number, a name, or `each` for a row per class.")
    ] = None,
    n: Annotated[int | None, typer.Option("-n", min=1, help="Number of examples, of each class; default 16.")] = None,
    output: Out = Path("pictures.png"),
    seed: Annotated[int | None, typer.Option(min=0, help="Equal seeds show equal examples.")] = None,
    domain: Annotated[Literal["a", "b"] | None, typer.Option(help="For datasets with two domains; default a.")] = None,
) -> None:
    """Save real pictures as training sees them: `forger datasets pictures mnist -o real.png`; or points, or strings."""
    chosen = value_by_ending(output, {format_: format_ for format_ in FORMATS})
    shown = common.client(ctx).dataset_pictures(name, class_, n, seed=seed, domain=domain, format=chosen)
    of_class = f"class {shown.class_}, " if shown.class_ is not None else ""
    save_picture(shown, output, f"{of_class}seed {shown.seed}, of {name}")


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, name: Name) -> None:
    """Delete an uploaded dataset. The service refuses while a job or a model needs it."""
    forger = common.client(ctx)
    forger.delete_dataset(name)
    typer.echo(f"{name} is deleted at {forger.url}.")


def name_of(path: Path) -> str:
    """Return a valid dataset name that is as close as possible to the name of the folder or zip."""
    plain = unicodedata.normalize("NFKD", _own_name(path)).encode("ascii", "ignore").decode()
    spelled = re.sub(r"[^a-z0-9._-]+", "-", plain.lower()).strip("-._")
    return spelled[:MAX_NAME_CHARACTERS].rstrip("-._") or "pictures"


def _own_name(path: Path) -> str:
    whole = path.resolve()
    return whole.name if path.is_dir() else whole.stem


def _show(dataset: "DatasetDetail", *, as_json: bool) -> None:
    if as_json:
        printing.print_json(dataset)
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
    report = {} if dataset.report is None else findings(dataset.report)
    printing.print_facts({name: value for name, value in (facts | report).items() if value is not None})


def findings(report: "Report") -> dict[str, object]:
    """Return the lines of a report by name; None if a line does not apply."""
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
        "preprocessing": "; ".join(report.transform.steps),
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
    """Return `a: dusk (41), b: day (40)`; halves of one picture, and domains of older reports, have no folder."""
    folders = report.folders
    return ", ".join(
        f"{pile}: {folders[pile]} ({count})" if pile in folders else f"{pile}: {count}"
        for pile, count in report.piles.items()
    )


def _corrupt(report: "Report") -> str | None:
    named = [f"{one.name} ({one.reason.rstrip('.')})" for one in report.corrupt.first]
    return _listed(report.corrupt.total, named)


def _listed(total: int, words: Sequence[str]) -> str | None:
    if not total:
        return None
    more = total - min(MAX_LISTED, len(words))
    return f"{total}: {', '.join(words[:MAX_LISTED])}{f' and {more} more' if more else ''}"
