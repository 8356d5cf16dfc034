"""Start jobs that use a trained model: `forger evaluate`, `forger generate`, `forger translate-dataset`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forger.cli import common, complete, follow, printing
from forger.cli.pictures import Model, Temperature, Truncation
from forger.cli.refusals import Refusal
from forger.text import counted

if TYPE_CHECKING:
    from forger.job import Job

Format = Annotated[
    Literal["zip", "npz"] | None, typer.Option("--format", help="PNG files in a zip, the default, or NumPy arrays.")
]
Shard = Annotated[int | None, typer.Option(min=1, help="Pictures in one file; default 10000.")]
Folder = Annotated[
    Path | None, typer.Option("-o", "--output", help="Wait, then save the files into this folder.", show_default=False)
]
Following = Annotated[bool, typer.Option("--follow", "-f", help="Watch until it ends.")]


def evaluate(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="name@version, or name for the newest.", autocompletion=complete.models)
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="A checkpoint's id, instead of a model.")] = None,
    n: Annotated[
        int | None, typer.Option("-n", "--n", min=1, help="Number of generated examples; default 5000.")
    ] = None,
    features: Annotated[
        Literal["own", "inception"] | None, typer.Option(help="The network whose features are compared.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the noise.")] = None,
    figures: Annotated[list[str] | None, typer.Option("--figure", help="Only this figure; may be repeated.")] = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Measure fidelity over temperature and truncation for the card too.")
    ] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the figures.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Evaluate a model: `forger evaluate cdcgan-digits --follow`."""
    forger = common.client(ctx)
    job = forger.evaluate(
        model,
        checkpoint=checkpoint,
        n=n,
        features=features,
        seed=seed,
        figures=figures or None,
        curve=curve or None,
    )
    if following:
        follow.wait(job) if as_json else follow.follow(job)
    if as_json:
        printing.print_json(job.reply)
    elif not following:
        typer.echo(f"{job.id} is {job.state}: it evaluates {follow.weights_name(job)}.")
        typer.echo(f"Read its figures with: forger jobs follow {common.id_suffix(job.id)}")


def generate(
    ctx: typer.Context,
    n: Annotated[
        int | None, typer.Option("-n", "--n", min=1, help="Number of pictures, equally many of each class.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", "-c", help="class=number, a number of one class; may be repeated.")
    ] = None,
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the noise; default 0.")] = None,
    temperature: Temperature = None,
    truncation: Truncation = None,
    format_: Format = None,
    shard: Shard = None,
    output: Folder = None,
    following: Following = False,
    as_json: common.AsJson = False,
) -> None:
    """Draw very many pictures: `forger generate -n 60000 --model cdcgan-mnist -o fakes`."""
    if (n is None) == (not classes):
        raise Refusal("Say how many: -n 60000, or a number for each class: --class 7=5000 --class 8=100.")
    count = n if n is not None else _class_counts(classes or [])
    forger = common.client(ctx)
    job = forger.generate(
        count, model=model, seed=seed, temperature=temperature, truncation=truncation, format=format_, shard=shard
    )
    _finish(job, output, following, as_json)


def translate_dataset(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A built-in or uploaded dataset.", autocompletion=complete.datasets)],
    model: Model = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None, typer.Option(help="Direction, for models trained both ways; default a2b.")
    ] = None,
    format_: Format = None,
    shard: Shard = None,
    output: Folder = None,
    following: Following = False,
    as_json: common.AsJson = False,
) -> None:
    """Translate every picture of a dataset: `forger translate-dataset streets -o painted`."""
    forger = common.client(ctx)
    job = forger.translate_dataset(dataset, model=model, direction=direction, format=format_, shard=shard)
    _finish(job, output, following, as_json)


def _class_counts(classes: list[str]) -> dict[str, int]:
    """Return the numbers by class from words of the form class=number; the class may contain a =."""
    counts: dict[str, int] = {}
    for word in classes:
        name, _, n = word.rpartition("=")
        if not name or not (n.isascii() and n.isdecimal()):
            raise Refusal(f"--class {word}: write class=number, as 7=5000.")
        if name in counts:
            raise Refusal(f"--class {word}: class {name} is named twice, name it once.")
        counts[name] = int(n)
    return counts


def _finish(job: "Job", output: Path | None, following: bool, as_json: bool) -> None:
    """Wait for the job and save its files, if requested; print the result."""
    if following or output is not None:
        follow.wait(job) if as_json else follow.watch(job)
    saved = [] if output is None else job.save_all(output, "shard")
    if as_json:
        printing.print_json(job.reply)
    elif output is not None:
        typer.echo(f"{output}: {counted(len(saved), 'file')}, by {follow.weights_name(job)}")
    elif following:
        follow.conclude(job)
    else:
        typer.echo(f"{job.id} is {job.state}: it {job.reply.kind}s with {follow.weights_name(job)}.")
        typer.echo(f"Watch it with: forger jobs follow {common.id_suffix(job.id)}")
