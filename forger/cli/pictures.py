"""`forger sample` and `forger translate`: pictures into files."""

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar, get_args

import typer

from forger import wire
from forger.cli import ask, complete, follow
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.picture import Picture

STDOUT, TRANSLATED = Path("-"), Path("translated.png")
Format = Literal["png", "webp", "json", "npy", "zip", "txt"]
"""a file's ending, and how the service is asked for it"""
FORMATS: tuple[Format, ...] = get_args(Format)
Translated = Literal["png", "jpeg", "webp"]
TRANSLATIONS: Mapping[str, Translated] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
"""what a translated picture is by the ending of its file"""
PNG = {"png": "png"}
"""of what the service draws as PNG only"""
VALUES: Mapping[str, wire.TableFormat] = {"csv": "csv", "parquet": "parquet"}
"""of tables, by the ending of their file"""
ENDINGS = frozenset((
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm",
    ".gif", ".avif", ".heic", ".heif",
))  # fmt: skip
"""of the pictures that a folder is searched for: those that services read; one that reads no HEIC says so"""
T = TypeVar("T")


Out = Annotated[Path, typer.Option("-o", "--output", help="The file to write; - for standard output.")]
Model = Annotated[
    str | None, typer.Option(help="name or name@version; default: the newest that can.", autocompletion=complete.models)
]


def sample(
    ctx: typer.Context,
    class_: Annotated[
        str | None, typer.Option("--class", "-c", help="A number, a name, or each: a row per class.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="How many, of each class.")] = 1,
    output: Out = Path("sample.png"),
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed draws the same.")] = None,
    scale: Annotated[int | None, typer.Option(help="Enlarge by whole pixels, 1 to 16.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 1; below 1 more typical, less varied.")] = None,
    format_: Annotated[Format | None, typer.Option("--format", help="Default: by the file's ending.")] = None,
) -> None:
    """Draw pictures: `forger sample --class 7 -n 16 -o sevens.png`; or points, or strings into a .txt."""
    wanted = _wanted(format_, output)
    drawn = ask.forger(ctx).sample(
        class_, n, model=model, seed=seed, temperature=temperature, scale=scale, format=wanted
    )
    of_class = f"class {drawn.class_}, " if drawn.class_ is not None else ""
    write(drawn, output, f"{of_class}seed {drawn.seed}, by {drawn.model}")
    _say_trouble(drawn)


def _wanted(format_: Format | None, output: Path) -> Format:
    """The format that is asked for, or that of the ending. Raises Refusal where they are two."""
    endings: dict[str, Format] = {known: known for known in FORMATS}
    ending = output.suffix.lower().removeprefix(".")
    if format_ is None:
        return by_ending(output, endings)
    if ending in endings and ending != format_:
        raise Refusal(f"{output} ends in .{ending} and --format is {format_}: leave one of them out.")
    return format_


def translate(
    ctx: typer.Context,
    photos: Annotated[list[Path], typer.Argument(help="PNG, JPEG, WebP, BMP, TIFF or PPM; one or many, or a folder.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write, or a folder for many; - for standard output.")
    ] = TRANSLATED,
    model: Model = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None, typer.Option(help="Which way, of models trained both ways; default a2b.")
    ] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG and WebP; default 90.")] = None,
) -> None:
    """Turn pictures into the other style, enlarge them, fill their holes: `forger translate photo.jpg -o night.jpg`.

    Many become a job, which goes on if you leave: `forger translate photos/ -o nights/`.
    """
    photos = [photo for given in photos for photo in (_inside(given) if given.is_dir() else [given])]
    if len(photos) > 1:
        _translate_many(ctx, photos, Path(TRANSLATED.stem) if output == TRANSLATED else output, model, direction)
        return
    (photo,) = photos
    if _is_folder(output):
        _require_other([photo], output)
        output.mkdir(parents=True, exist_ok=True)
        output /= f"{photo.stem}.png"
    wanted, forger = by_ending(output, TRANSLATIONS), ask.forger(ctx)
    drawn = forger.translate(photo, model=model, direction=direction, format=wanted, quality=quality)
    write(drawn, output, f"{photo.name} by {drawn.model}")
    if drawn.note is not None:
        typer.echo(drawn.note, err=True)
    _say_trouble(drawn)


def _say_trouble(drawn: "Picture") -> None:
    """One line where the model's training was troubled."""
    state, _, what = (drawn.health or "").partition("; ")
    if state == "troubled" and drawn.model is not None:
        name = drawn.model.partition("@")[0]
        typer.echo(f"{drawn.model} is troubled ({what}): `forger models show {name}` says what was seen.", err=True)


def _translate_many(
    ctx: typer.Context, photos: list[Path], folder: Path, model: str | None, direction: Literal["a2b", "b2a"] | None
) -> None:
    """As a job that is watched; exit code 1 where pictures were left out."""
    if not _is_folder(folder):
        raise Refusal(f"{folder}: {len(photos)} pictures need a folder to go to, as -o translated/")
    twice = [name for name, n in Counter(photo.name for photo in photos).items() if n > 1]
    if twice:
        raise Refusal(f"{twice[0]}: two pictures have this name; translate them one folder at a time.")
    _require_other(photos, folder)
    job = ask.forger(ctx).translate_files(photos, model=model, direction=direction)
    follow.watch(job)
    saved, left_out = job.save_pictures(folder)
    typer.echo(f"{folder}: {len(saved)} pictures, by {follow.weights(job)}")
    for name, reason in left_out.items():
        typer.echo(f"{name} was left out: {reason}", err=True)
    if left_out:
        raise typer.Exit(1)


def _inside(folder: Path) -> list[Path]:
    """The pictures that lie in a folder, in order, without hidden ones and those of folders in it. Raises Refusal."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]
    if not found:
        raise Refusal(f"{folder}: no picture lies in this folder itself; name one that holds some, or single pictures.")
    return sorted(found)


def _is_folder(path: Path) -> bool:
    return path != STDOUT and (path.is_dir() or not (path.suffix or path.exists()))


def _require_other(photos: list[Path], folder: Path) -> None:
    """Raises Refusal where a translation would take the place of a picture."""
    for photo in photos:
        if photo.resolve() == (folder / f"{photo.stem}.png").resolve():
            raise Refusal(f"{folder}: {photo.name} lies there and would be replaced; name another folder.")


def by_ending(file: Path, formats: Mapping[str, T]) -> T:
    """What a file's name asks for; PNG, or what stands first, where it has no ending. Raises Refusal."""
    ending = file.suffix.lower().removeprefix(".")
    if file == STDOUT or not ending:
        return next(iter(formats.values()))
    if ending in formats:
        return formats[ending]
    *most, last = (f".{known}" for known in formats)
    allowed = f"{', '.join(most)} or {last}" if most else last
    raise Refusal(f"{file}: nothing here is written as .{ending}: end the name in {allowed}.")


def write(drawn: "Picture", file: Path, what: str) -> None:
    """Into the file, and a line that says so."""
    write_bytes(drawn.data, file, what)


def write_bytes(data: bytes, file: Path, what: str) -> None:
    from forger.files import write_whole

    if file == STDOUT:
        sys.stdout.buffer.write(data)
        typer.echo(what, err=True)
        return
    write_whole(file, [data])
    typer.echo(f"{file}: {what}")
