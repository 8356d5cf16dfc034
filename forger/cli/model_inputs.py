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
from forger.cli.refusals import Refusal
from forger.text import counted

if TYPE_CHECKING:
    from forger.picture import Picture
    from forger.schemas.inversion import InpaintingOut, InversionOut

FEATURE_FORMATS = {"npz": "npz", "json": "json"}
"""formats of features by the ending of the file"""
Photo = Annotated[Path, typer.Argument(help="A PNG, JPEG, WebP, BMP, TIFF or PPM file.")]
SearchedClass = Annotated[
    str | None, typer.Option("--class", "-c", help="A number or a name; default: the class of the lowest error.")
]
SearchSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Of the latents at which the search begins.")]
SearchSteps = Annotated[int | None, typer.Option("--steps", help="Steps of the search, default 200.")]
Restarts = Annotated[int | None, typer.Option("--restarts", help="Attempts from different latents, default 8.")]


def inpaint(
    ctx: typer.Context,
    picture: Photo,
    mask: Annotated[Path, typer.Argument(help="A picture of the same size, white where to fill.")],
    output: Out = Path("completed.png"),
    model: Model = None,
    quality: Quality = None,
    class_: SearchedClass = None,
    seed: SearchSeed = None,
    steps: SearchSteps = None,
    restarts: Restarts = None,
) -> None:
    """Fill a picture where the mask is white: `forger inpaint photo.png mask.png -o whole.png`.

    A model that generates pictures is searched for the one that fits; a .json file gets its latent too.
    """
    forger = common.client(ctx)
    if output.suffix.lower() == ".json":
        if model is None:
            raise Refusal("Name a model that generates pictures with --model, or end the output in .png.")
        found = forger.inpainting(picture, mask, model=model, class_=class_, seed=seed, steps=steps, restarts=restarts)
        text = found.model_dump_json(by_alias=True)
        save_bytes(f"{text}\n".encode(), output, f"{picture.name} by {found.model}{nearness(found)}")
        return
    drawn = forger.inpaint(
        picture,
        mask,
        model=model,
        format=translated_format(output),
        quality=quality,
        class_=class_,
        seed=seed,
        steps=steps,
        restarts=restarts,
    )
    _save(drawn, output, picture)


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


def nearness(found: "InversionOut | InpaintingOut") -> str:
    """Describe the class and the error of what a search has found: " as class 7, 23.9 dB"."""
    label = "" if found.class_ is None else f" as class {found.class_}"
    return f"{label}, equal" if found.psnr is None else f"{label}, {found.psnr:.1f} dB"


def _summary(pictures: list[Path]) -> str:
    return f"features of {counted(len(pictures), 'picture')}"


def _save(drawn: "Picture", output: Path, source: Path) -> None:
    save_picture(drawn, output, f"{source.name} by {drawn.model}")
    print_remarks(drawn)
