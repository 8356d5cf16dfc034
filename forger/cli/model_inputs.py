"""Run `forger inpaint` and `forger upscale`: send one picture to a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common
from forger.cli.pictures import Model, Out, Quality, print_remarks, save_picture, translated_format

if TYPE_CHECKING:
    from forger.picture import Picture

Photo = Annotated[Path, typer.Argument(help="A PNG, JPEG, WebP, BMP, TIFF or PPM file.")]


def inpaint(
    ctx: typer.Context,
    picture: Photo,
    mask: Annotated[Path, typer.Argument(help="A picture of the same size, white where to fill.")],
    output: Out = Path("completed.png"),
    model: Model = None,
    quality: Quality = None,
) -> None:
    """Fill a picture where the mask is white: `forger inpaint photo.png mask.png -o whole.png`."""
    chosen = translated_format(output)
    _save(common.client(ctx).inpaint(picture, mask, model=model, format=chosen, quality=quality), output, picture)


def upscale(
    ctx: typer.Context,
    picture: Photo,
    output: Out = Path("enlarged.png"),
    model: Model = None,
    quality: Quality = None,
) -> None:
    """Enlarge a picture: `forger upscale small.png -o large.png`."""
    chosen = translated_format(output)
    _save(common.client(ctx).upscale(picture, model=model, format=chosen, quality=quality), output, picture)


def _save(drawn: "Picture", output: Path, source: Path) -> None:
    save_picture(drawn, output, f"{source.name} by {drawn.model}")
    print_remarks(drawn)
