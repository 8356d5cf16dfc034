"""Run `forger invert`: find the latents of pictures."""

import base64
from pathlib import Path

import typer

from forger.cli import common
from forger.cli.model_inputs import Photo, Restarts, SearchedClass, SearchSeed, SearchSteps, nearness
from forger.cli.pictures import Model, Out, save_bytes, value_by_ending

FORMATS = {"json": "json", "png": "png"}


def invert(
    ctx: typer.Context,
    picture: Photo,
    output: Out = Path("latent.json"),
    model: Model = None,
    class_: SearchedClass = None,
    seed: SearchSeed = None,
    steps: SearchSteps = None,
    restarts: Restarts = None,
) -> None:
    """Find the latent of a picture: `forger invert seven.png -o seven.json`; a .png gets the picture of the latent."""
    format_ = value_by_ending(output, FORMATS)
    found = common.client(ctx).invert(picture, model=model, class_=class_, seed=seed, steps=steps, restarts=restarts)
    content = base64.b64decode(found.image) if format_ == "png" else found.model_dump_json(by_alias=True).encode()
    save_bytes(content, output, f"{picture.name} by {found.model}{nearness(found)}")
