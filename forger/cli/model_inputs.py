"""Run `forger inpaint`, `forger upscale` and `forger features`: send pictures to a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forger.cli import common
from forger.cli.pictures import (
    Model,
    Out,
    Quality,
    print_remarks,
    save_bytes,
    save_picture,
    translated_format,
    value_by_ending,
)

if TYPE_CHECKING:
    from forger.picture import Picture

FEATURE_FORMATS = {"npz": "npz", "json": "json"}
"""formats of features by the ending of the file"""
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


def features(
    ctx: typer.Context,
    pictures: Annotated[list[Path], typer.Argument(help="Up to 64 pictures.")],
    output: Out = Path("features.npz"),
    model: Model = None,
) -> None:
    """Compute features by a model's critic or encoder: `forger features *.png -o features.npz` (or .json)."""
    forger = common.client(ctx)
    if value_by_ending(output, FEATURE_FORMATS) == "npz":
        save_bytes(forger.features_npz(pictures, model=model), output, _summary(pictures))
        return
    reply = forger.features(pictures, model=model)
    text = reply.model_dump_json(indent=2)
    save_bytes(
        f"{text}\n".encode(), output, f"{_summary(pictures)}, {reply.size} each, by the {reply.source} of {reply.model}"
    )


def _summary(pictures: list[Path]) -> str:
    return f"features of {len(pictures)} {'picture' if len(pictures) == 1 else 'pictures'}"


def _save(drawn: "Picture", output: Path, source: Path) -> None:
    save_picture(drawn, output, f"{source.name} by {drawn.model}")
    print_remarks(drawn)
