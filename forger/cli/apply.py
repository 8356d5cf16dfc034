"""`forger evaluate`, `forger generate` and `forger translate-dataset`: one job that works with trained weights."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from forger.cli import ask, complete, follow
from forger.cli.pictures import Model
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.job import Job

Format = Annotated[
    Literal["zip", "npz"] | None, typer.Option("--format", help="PNG files in a zip, the default, or NumPy's arrays.")
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
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="How many examples are made; default 5000.")] = None,
    features: Annotated[
        Literal["own", "inception"] | None, typer.Option(help="The network that distances are measured with.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides what is drawn.")] = None,
    figures: Annotated[list[str] | None, typer.Option("--figure", help="Only this one; as often as needed.")] = None,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the figures.")] = False,
    as_json: ask.AsJson = False,
) -> None:
    """Measure a model: `forger evaluate cdcgan-digits --follow`."""
    forger = ask.forger(ctx)
    job = forger.evaluate(model, checkpoint=checkpoint, n=n, features=features, seed=seed, figures=figures or None)
    if following:
        follow.wait(job) if as_json else follow.follow(job)
    if as_json:
        ask.put_json(job.seen)
    elif not following:
        typer.echo(f"{job.id} is {job.state}: it evaluates {follow.weights(job)}.")
        typer.echo(f"Read its figures with: forger jobs follow {ask.end(job.id)}")


def generate(
    ctx: typer.Context,
    n: Annotated[int | None, typer.Option("-n", "--n", min=1, help="How many, of all classes alike.")] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", "-c", help="class=number: so many of it; as often as needed.")
    ] = None,
    model: Model = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Decides what is drawn; default 0.")] = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 1; below 1 more typical, less varied.")] = None,
    format_: Format = None,
    shard: Shard = None,
    output: Folder = None,
    following: Following = False,
    as_json: ask.AsJson = False,
) -> None:
    """Draw very many pictures: `forger generate -n 60000 --model cdcgan-mnist -o fakes`."""
    if (n is None) == (not classes):
        raise Refusal("Say how many: -n 60000, or so many of each class: --class 7=5000 --class 8=100.")
    wanted = n if n is not None else _counted(classes or [])
    forger = ask.forger(ctx)
    job = forger.generate(wanted, model=model, seed=seed, temperature=temperature, format=format_, shard=shard)
    _see_to(job, output, following, as_json)


def translate_dataset(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="Built in or uploaded.", autocompletion=complete.datasets)],
    model: Model = None,
    direction: Annotated[
        Literal["a2b", "b2a"] | None, typer.Option(help="Which way, of models trained both ways; default a2b.")
    ] = None,
    format_: Format = None,
    shard: Shard = None,
    output: Folder = None,
    following: Following = False,
    as_json: ask.AsJson = False,
) -> None:
    """Send every picture of a dataset through a model: `forger translate-dataset streets -o painted`."""
    forger = ask.forger(ctx)
    job = forger.translate_dataset(dataset, model=model, direction=direction, format=format_, shard=shard)
    _see_to(job, output, following, as_json)


def _counted(classes: list[str]) -> dict[str, int]:
    """`class=number` each; the class may hold a = itself."""
    found: dict[str, int] = {}
    for word in classes:
        name, _, n = word.rpartition("=")
        if not name or not (n.isascii() and n.isdecimal()):
            raise Refusal(f"--class {word}: write class=number, as 7=5000.")
        if name in found:
            raise Refusal(f"--class {word}: class {name} is named twice, say once how many.")
        found[name] = int(n)
    return found


def _see_to(job: "Job", output: Path | None, following: bool, as_json: bool) -> None:
    """Waits for it and saves its files, where that is wanted."""
    if following or output is not None:
        follow.wait(job) if as_json else follow.watch(job)
    saved = [] if output is None else job.save_all(output, "shard")
    if as_json:
        ask.put_json(job.seen)
    elif output is not None:
        typer.echo(f"{output}: {len(saved)} files, by {follow.weights(job)}")
    elif following:
        follow.conclude(job)
    else:
        typer.echo(f"{job.id} is {job.state}: it {job.seen.kind}s with {follow.weights(job)}.")
        typer.echo(f"Watch it with: forger jobs follow {ask.end(job.id)}")
