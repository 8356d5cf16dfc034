"""Run `forger directions` and `forger edit`: find directions of latent spaces, and move samples along them."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from forger.cli import common, complete
from forger.cli.latent import FIGURE_FORMATS, Scale
from forger.cli.pictures import Out, save_bytes, save_picture, value_by_ending
from forger.cli.refusals import Refusal

group = typer.Typer(help="Find, list and delete directions of latent spaces.")

Version = Annotated[str, typer.Argument(help="name@version.", autocompletion=complete.models)]


@group.command("list")
def list_(ctx: typer.Context, model: Version) -> None:
    """List the directions of a version: `forger directions list dcgan-faces@1`."""
    for one in common.client(ctx).directions(model).data:
        typer.echo(f"{one.name:<24} {one.kind:<12} {one.strength:.4g}")


@group.command(no_args_is_help=True)
def find(
    ctx: typer.Context,
    model: Version,
    name: Annotated[str, typer.Argument(help="Several directions get -1, -2, ... behind it.")],
    kind: Annotated[
        Literal["closed_form", "principal", "means"], typer.Option(help="The first two need no labels.")
    ] = "closed_form",
    n: Annotated[int | None, typer.Option("-n", help="Number of directions, default 8.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the latents of principal directions.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="Of means: samples without, as 1,2,3 or 1:7,2:7.")] = None,
    to: Annotated[str | None, typer.Option(help="Of means: samples with the property.")] = None,
) -> None:
    """Find directions: `forger directions find dcgan-faces@1 smile --kind means --from 1,2,3 --to 4,5,6`."""
    found = common.client(ctx).find_directions(
        model, name, kind, n=n, seed=seed, from_=_samples(from_), to=_samples(to)
    )
    for one in found.data:
        typer.echo(f"{one.name:<24} {one.kind:<12} {one.strength:.4g}")


@group.command(no_args_is_help=True)
def delete(ctx: typer.Context, model: Version, name: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Delete a direction."""
    common.client(ctx).delete_direction(model, name)
    typer.echo(f"Deleted {name} of {model}.")


def edit(
    ctx: typer.Context,
    model: Version,
    direction: Annotated[str, typer.Argument(help="Name of a direction.")],
    samples: Annotated[list[str], typer.Argument(help="SEED, SEED.INDEX or SEED.INDEX:CLASS.")],
    output: Out = Path("edited.png"),
    by: Annotated[str, typer.Option(help="Amounts, one for each column.")] = "-3,-2,-1,0,1,2,3",
    class_: Annotated[str | None, typer.Option("--class", "-c", help="Class of samples that name none.")] = None,
    scale: Scale = None,
) -> None:
    """Move samples along a direction: `forger edit dcgan-faces@1 smile 1 2 3 -o smile.png`; .json has the latents."""
    moves, forger = [{direction: amount} for amount in _amounts(by)], common.client(ctx)
    if value_by_ending(output, FIGURE_FORMATS) == "json":
        reply = forger.edit(moves, model=model, samples=samples, class_=class_, scale=scale)
        save_bytes(reply.model_dump_json().encode() + b"\n", output, f"{' '.join(samples)} by {direction}")
        return
    drawn = forger.edited_sheet(moves, model=model, samples=samples, class_=class_, scale=scale)
    save_picture(drawn, output, f"{' '.join(samples)} by {direction}, by {drawn.model}")


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
