"""`forger evaluate`: one job that measures what a model has learned."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli import ask, complete, follow

if TYPE_CHECKING:
    from app.client import Job


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
        _say_queued(job)


def _say_queued(job: "Job") -> None:
    typer.echo(f"{job.id} is {job.state}: it evaluates {follow.weights(job)}.")
    typer.echo(f"Read its figures with: forger jobs follow {ask.end(job.id)}")
