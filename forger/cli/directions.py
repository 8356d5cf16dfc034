"""Run `forger directions` and `forger edit`: find directions of latent spaces, and move samples along them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import typer

from forger.cli import common, printing
from forger.cli.latent import FIGURE_FORMATS, Scale, read_latents
from forger.cli.models import Reference
from forger.cli.pictures import Out, save_bytes, save_picture, value_by_ending
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.schemas.directions import DirectionList

group = typer.Typer(help="Find, list and delete directions of latent spaces.")


class Rows(TypedDict):
    """The keyword arguments of Forger.edit that name what is moved."""

    samples: list[str]
    latents: list[list[float]]
    class_: str | None


@group.command("list", no_args_is_help=True)
def list_(ctx: typer.Context, model: Reference, as_json: common.AsJson = False) -> None:
    """List the directions of a version: `forger directions list dcgan-faces`."""
    _print(common.client(ctx).directions(model), as_json=as_json)


@group.command(no_args_is_help=True)
def find(
    ctx: typer.Context,
    model: Reference,
    name: Annotated[str, typer.Argument(help="Several directions get -1, -2, ... behind it.")],
    kind: Annotated[
        Literal["closed_form", "principal", "means"], typer.Option(help="The first two need no labels.")
    ] = "closed_form",
    n: Annotated[int | None, typer.Option("-n", help="Number of directions, default 8.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the latents of principal directions.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Of means: samples without, as 1,2,3 or 1:7,2:7.")] = None,
    to: Annotated[str | None, typer.Option(help="Of means: samples with the property.")] = None,
    as_json: common.AsJson = False,
) -> None:
    """Find directions: `forger directions find dcgan-faces smile --kind means --from 1,2,3 --to 4,5,6`."""
    forger = common.client(ctx)
    found = forger.find_directions(model, name, kind, n=n, seed=seed, from_=_samples(from_), to=_samples(to))
    _print(found, as_json=as_json)
    typer.echo(f"The directions are kept with {found.model} at {forger.url}.", err=as_json)


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, model: Reference, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Delete a direction."""
    forger = common.client(ctx)
    version = forger.version(model).model
    forger.delete_direction(version, name)
    typer.echo(f"{name} of {version} is deleted at {forger.url}.")


def edit(
    ctx: typer.Context,
    model: Reference,
    direction: Annotated[str, typer.Argument(help="Name of a direction.")],
    samples: Annotated[
        list[str], typer.Argument(help="SEED, SEED.INDEX or SEED.INDEX:CLASS, or a .json file of latents.")
    ],
    output: Out = Path("edited.png"),
    by: Annotated[str, typer.Option(help="Amounts, one for each column.")] = "-3,-2,-1,0,1,2,3",
    class_: Annotated[
        str | None, typer.Option("--class", "-c", help="Class of samples that name none; default: that of the files.")
    ] = None,
    scale: Scale = None,
) -> None:
    """Move samples along a direction: `forger edit dcgan-faces smile 1 2 3 -o smile.png`; .json has the latents.

    A .json file of `forger invert` or `forger latent draw` stands for its latents: `forger edit m smile found.json`.
    """
    moves, files = [{direction: amount} for amount in _amounts(by)], _latents_in(samples)
    forger, what = common.client(ctx), f"{' '.join(samples)} by {direction}"
    if files:
        model = forger.version(model).model
        _refuse_other_model(files, model)
    how = _rows(samples, files, class_)
    if value_by_ending(output, FIGURE_FORMATS) == "json":
        reply = forger.edit(moves, model=model, scale=scale, **how)
        save_bytes(reply.model_dump_json().encode() + b"\n", output, f"{what}, by {reply.model}")
        return
    drawn = forger.edited_sheet(moves, model=model, scale=scale, **how)
    save_picture(drawn, output, f"{what}, by {drawn.model}")


def _print(found: "DirectionList", *, as_json: bool) -> None:
    if as_json:
        printing.print_json(found)
        return
    rows = ((one.name, one.kind, f"{one.strength:.4g}") for one in found.data)
    printing.print_table(("DIRECTION", "KIND", "STRENGTH"), rows)


def _latents_in(words: list[str]) -> dict[str, dict[str, Any]]:
    """Return what the .json files among words hold, by their names. Raises Refusal."""
    return {word: read_latents(Path(word)) for word in words if word.endswith(".json")}


def _refuse_other_model(files: dict[str, dict[str, Any]], model: str) -> None:
    """Raise Refusal if a file has latents of another model: they mean something else to this one."""
    for file, found in files.items():
        if (source := found.get("model")) not in {None, model}:
            raise Refusal(f"{file} has latents of {source}, not of {model}: write {source} as MODEL.")


def _rows(words: list[str], files: dict[str, dict[str, Any]], class_: str | None) -> Rows:
    """Return the samples that words name, and the latents of files with their class. Raises Refusal."""
    return {
        "samples": [word for word in words if word not in files],
        "latents": [row for word in words if word in files for row in files[word]["latents"]],
        "class_": _class_of(files) if class_ is None else class_,
    }


def _class_of(files: dict[str, dict[str, Any]]) -> str | None:
    """Return the class of the latents of files, None without classes. Raises Refusal unless it is one for all."""
    classes = {label for found in files.values() for label in found.get("classes") or ()}
    if len(classes) > 1 or any("class_weights" in found for found in files.values()):
        raise Refusal(f"The latents of {' '.join(files)} have no one class: name the class of all with --class.")
    return next((str(label) for label in classes if label is not None), None)


def _samples(text: str | None) -> dict[str, list[str]] | None:
    return None if text is None else {"samples": text.split(",")}


def _amounts(text: str) -> list[float]:
    """Return the numbers of a list. Raises Refusal.

    >>> _amounts("-1,0,2.5")
    [-1.0, 0.0, 2.5]
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as error:
        raise Refusal(f"--by {text} is no list of numbers: write one as -2,0,2.") from error
