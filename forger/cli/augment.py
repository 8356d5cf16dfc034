"""Run `forger augment`: labelled pictures for a dataset, and whether they help a classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forger.cli import common, complete, follow, printing
from forger.cli.pictures import Model
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.schemas.augmentations import AugmentationReport, Spread

ARM_NAMES = {
    "real": "real pictures",
    "generated": "generated pictures",
    "both": "both",
    "classical": "real, moved and turned",
}
"""names of what a classifier was trained with"""
MIN_SEEDS, MAX_SEEDS = 3, 10


def augment(
    ctx: typer.Context,
    dataset: Annotated[str, typer.Argument(help="A labelled dataset.", autocompletion=complete.datasets)],
    per_class: Annotated[int | None, typer.Option("--per-class", min=1, help="Pictures of each class to keep.")] = None,
    model: Model = None,
    recipe: Annotated[str | None, typer.Option(help="Train this family first, such as cdcgan.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Train a generator first, for so many steps.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything; default 0.")] = None,
    seeds: Annotated[
        int | None, typer.Option(min=MIN_SEEDS, max=MAX_SEEDS, help="Classifiers for each set of pictures; default 5.")
    ] = None,
    classifier_steps: Annotated[
        int | None, typer.Option(min=1, help="Training steps of each classifier; default 500.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Wait, then save the labelled pictures here.", show_default=False),
    ] = None,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the report.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Draw labelled pictures and test whether they help: `forger augment digits --per-class 200 --follow`."""
    if per_class is None:
        raise Refusal("Say how many pictures of each class: --per-class 200.")
    forger = common.client(ctx)
    budget = None if steps is None else {"steps": steps}
    job = forger.augment(
        dataset, per_class, model=model, recipe=recipe, budget=budget, seed=seed, seeds=seeds,
        classifier_steps=classifier_steps,
    )  # fmt: skip
    if following or output is not None:
        follow.wait(job) if as_json else follow.watch(job)
    saved = [] if output is None else job.save_all(output, "shard")
    reply = forger.augmentation(job.id)
    if as_json:
        printing.print_json(reply)
        return
    if reply.report is None:
        typer.echo(f"{job.id} is {job.state}: it augments {dataset}.")
        typer.echo(f"Watch it with: forger jobs follow {common.id_suffix(job.id)}")
        return
    print_report(reply.report)
    if output is not None:
        typer.echo(f"{output}: {', '.join(path.name for path in saved) or 'no pictures'}")


def print_report(report: "AugmentationReport") -> None:
    """Print the accuracy by what classifiers were trained with, each class, the warnings and the verdict."""
    accuracy = [
        (name, _percent(report.accuracy[arm]), _interval(report, arm))
        for arm, name in ARM_NAMES.items()
        if arm in report.accuracy
    ]
    printing.print_table(("TRAINED WITH", "ACCURACY", "GAIN OVER REAL (95 %)"), accuracy)
    typer.echo("")
    rows: list[tuple[Any, ...]] = [
        (
            one.name, one.training, one.generated, one.kept, one.held_out, _percent(one.recall_before),
            _percent(one.recall_after),
        )
        for one in report.classes
    ]  # fmt: skip
    printing.print_table(("CLASS", "REAL", "GENERATED", "KEPT", "HELD OUT", "RECALL BEFORE", "AFTER"), rows)
    for sentence in (*report.warnings, report.verdict):
        typer.echo(sentence)


def _percent(spread: "Spread | None") -> str:
    return "-" if spread is None else f"{100 * spread.mean:.1f} ± {100 * spread.deviation:.1f}"


def _interval(report: "AugmentationReport", arm: str) -> str:
    gain = report.gains.get(arm)
    return "" if gain is None else f"{100 * gain.mean:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
