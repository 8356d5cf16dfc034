"""Run `forger sample` and `forger translate`, and save pictures as files."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

import typer

from forger import wire
from forger.cli import common, complete, follow
from forger.cli.refusals import Refusal
from forger.text import counted

if TYPE_CHECKING:
    from forger.picture import Picture

STDOUT, DEFAULT_TRANSLATION = Path("-"), Path("translated.png")
Format = Literal["png", "webp", "json", "npy", "zip", "txt"]
"""formats of samples, which are also endings of files"""
FORMATS: tuple[Format, ...] = get_args(Format)
TranslatedFormat = Literal["png", "jpeg", "webp"]
TRANSLATED_FORMATS: Mapping[str, TranslatedFormat] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
"""formats of translated pictures by the ending of the file"""
PNG_ONLY = {"png": "png"}
"""formats by ending of what the service draws only as PNG"""
TABLE_FORMATS: Mapping[str, wire.TableFormat] = {"csv": "csv", "parquet": "parquet"}
"""formats of tables by the ending of the file"""
PICTURE_ENDINGS = frozenset((
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".gif", ".avif", ".heic", ".heif",
))  # fmt: skip
"""endings of the pictures that a folder is searched for: all that a service may read"""
T = TypeVar("T")


Out = Annotated[Path, typer.Option("-o", "--output", help="The file to write; - for standard output.")]
Quality = Annotated[int | None, typer.Option(min=1, max=100, help="Quality of JPEG and WebP; default 90.")]
Model = Annotated[
    str | None,
    typer.Option(help="name or name@version; default: the newest suitable model.", autocompletion=complete.models),
]
Temperature = Annotated[float | None, typer.Option(help="0 to 1; lower is more typical, less varied.")]
Truncation = Annotated[float | None, typer.Option(help="Draw numbers of latents beyond this again.")]


def sample(
    ctx: typer.Context,
    class_: Annotated[
        str | None, typer.Option("--class", "-c", help="A number, a name, or `each` for a row per class.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Number of samples, of each class.")] = 1,
    output: Out = Path("sample.png"),
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Equal seeds draw equal samples.")] = None,
    scale: Annotated[int | None, typer.Option(help="Enlarge by whole pixels, 1 to 16.")] = None,
    temperature: Temperature = None,
    truncation: Truncation = None,
    format_: Annotated[Format | None, typer.Option("--format", help="Default: by the file's ending.")] = None,
) -> None:
    """Draw pictures: `forger sample --class 7 -n 16 -o sevens.png`; or points, or strings into a .txt."""
    chosen = _format(format_, output)
    drawn = common.client(ctx).sample(
        class_,
        n,
        model=model,
        seed=seed,
        temperature=temperature,
        truncation=truncation,
        scale=scale,
        format=chosen,
    )
    of_class = f"class {drawn.class_}, " if drawn.class_ is not None else ""
    save_picture(drawn, output, f"{of_class}seed {drawn.seed}, by {drawn.model}")
    _print_trouble(drawn)


def _format(format_: Format | None, output: Path) -> Format:
    """Return the requested format, or that of the ending. Raises Refusal if both are set and differ."""
    endings: dict[str, Format] = {name: name for name in FORMATS}
    ending = output.suffix.lower().removeprefix(".")
    if format_ is None:
        return value_by_ending(output, endings)
    if ending in endings and ending != format_:
        raise Refusal(f"{output} ends in .{ending} and --format is {format_}: leave one of them out.")
    return format_


def translate(
    ctx: typer.Context,
    photos: Annotated[list[Path], typer.Argument(help="PNG, JPEG, WebP, BMP, TIFF or PPM files, or a folder.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write, or a folder for many; - for standard output.")
    ] = DEFAULT_TRANSLATION,
    model: Model = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None, typer.Option(help="Direction, for models trained both ways; default a2b.")
    ] = None,
    quality: Quality = None,
) -> None:
    """Translate, enlarge or complete pictures: `forger translate photo.jpg -o night.jpg`.

    Many pictures become a job, which continues if you leave: `forger translate photos/ -o nights/`.
    """
    photos = [photo for given in photos for photo in (_pictures_in(given) if given.is_dir() else [given])]
    if len(photos) > 1:
        _translate_many(
            ctx, photos, Path(DEFAULT_TRANSLATION.stem) if output == DEFAULT_TRANSLATION else output, model, direction
        )
        return
    (photo,) = photos
    if _is_folder(output):
        _require_other([photo], output)
        output.mkdir(parents=True, exist_ok=True)
        output /= f"{photo.stem}.png"
    chosen, forger = translated_format(output), common.client(ctx)
    drawn = forger.translate(photo, model=model, direction=direction, format=chosen, quality=quality)
    save_picture(drawn, output, f"{photo.name} by {drawn.model}")
    print_remarks(drawn)


def translated_format(output: Path) -> TranslatedFormat:
    """Return the format of a translated picture by the file's ending. Raises Refusal."""
    return value_by_ending(output, TRANSLATED_FORMATS)


def print_remarks(drawn: "Picture") -> None:
    """Print the service's notes on a translation, and a line if the model's training was troubled."""
    if drawn.note is not None:
        typer.echo(drawn.note, err=True)
    _print_trouble(drawn)


def _print_trouble(drawn: "Picture") -> None:
    """Print a line if the model's training was troubled."""
    state, _, what = (drawn.health or "").partition("; ")
    if state == "troubled" and drawn.model is not None:
        name = drawn.model.partition("@")[0]
        typer.echo(f"{drawn.model} is troubled ({what}): `forger models show {name}` says what was seen.", err=True)


def _translate_many(
    ctx: typer.Context, photos: list[Path], folder: Path, model: str | None, direction: Literal["a2b", "b2a"] | None
) -> None:
    """Translate many pictures by a job and watch it; exit code 1 if pictures were left out."""
    if not _is_folder(folder):
        raise Refusal(f"{folder}: {len(photos)} pictures need a folder to go to, as -o translated/")
    twice = [name for name, n in Counter(photo.name for photo in photos).items() if n > 1]
    if twice:
        raise Refusal(f"{twice[0]}: two pictures have this name; translate them one folder at a time.")
    _require_other(photos, folder)
    job = common.client(ctx).translate_files(photos, model=model, direction=direction)
    follow.watch(job)
    saved, left_out = job.save_pictures(folder)
    typer.echo(f"{folder}: {counted(len(saved), 'picture')}, by {follow.weights_name(job)}")
    for name, reason in left_out.items():
        typer.echo(f"{name} was left out: {reason}", err=True)
    if left_out:
        raise typer.Exit(1)


def _pictures_in(folder: Path) -> list[Path]:
    """Return the pictures directly in a folder, in order, without hidden ones. Raises Refusal if there are none."""
    pictures = [
        path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS and not path.name.startswith(".")
    ]
    if not pictures:
        raise Refusal(
            f"{folder}: there is no picture directly in this folder; name one with pictures, or single pictures."
        )
    return sorted(pictures)


def _is_folder(path: Path) -> bool:
    return path != STDOUT and (path.is_dir() or not (path.suffix or path.exists()))


def _require_other(photos: list[Path], folder: Path) -> None:
    """Raise Refusal if a translation would replace a picture."""
    for photo in photos:
        if photo.resolve() == (folder / f"{photo.stem}.png").resolve():
            raise Refusal(f"{folder}: {photo.name} is in it and would be replaced; name another folder.")


def value_by_ending(file: Path, formats: Mapping[str, T]) -> T:
    """Return the format of a file's ending; the first format without an ending. Raises Refusal for other endings."""
    from forger.files import ending_refusal

    ending = file.suffix.lower().removeprefix(".")
    if file == STDOUT or not ending:
        return next(iter(formats.values()))
    if ending in formats:
        return formats[ending]
    raise Refusal(ending_refusal(file, formats))


def save_picture(drawn: "Picture", file: Path, what: str) -> None:
    """Save the picture in the file and print a line about it."""
    save_bytes(drawn.data, file, what)


def save_bytes(data: bytes, file: Path, what: str) -> None:
    from forger.files import write_whole

    if file == STDOUT:
        sys.stdout.buffer.write(data)
        typer.echo(what, err=True)
        return
    write_whole(file, [data])
    typer.echo(f"{file}: {what}")
