"""Run `forger invert`: find the latents of pictures."""

import base64
from pathlib import Path
from typing import Annotated

import typer

from forger.cli import common
from forger.cli.model_inputs import Photo
from forger.cli.pictures import Model, Out, save_bytes, value_by_ending

FORMATS = {"json": "json", "png": "png"}


def invert(
    ctx: typer.Context,
    picture: Photo,
    output: Out = Path("latent.json"),
    model: Model = None,
    class_: Annotated[
        str | None, typer.Option("--class", "-c", help="A number or a name; default: the class of the lowest error.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of the latents at which the search begins.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the search, default 200.")] = None,
    restarts: Annotated[int | None, typer.Option(help="Attempts from different latents, default 8.")] = None,
) -> None:
    """Find the latent of a picture: `forger invert seven.png -o seven.json`; a .png gets the picture of the latent."""
    format_ = value_by_ending(output, FORMATS)
    found = common.client(ctx).invert(picture, model=model, class_=class_, seed=seed, steps=steps, restarts=restarts)
    content = base64.b64decode(found.image) if format_ == "png" else found.model_dump_json(by_alias=True).encode()
    label = "" if found.class_ is None else f" as class {found.class_}"
    error = "equal" if found.psnr is None else f"{found.psnr:.1f} dB"
    save_bytes(content, output, f"{picture.name} by {found.model}{label}, {error}")
