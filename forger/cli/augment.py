"""Run `forger augment`: labelled pictures for a dataset, and whether they help a classifier."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from forger.cli import common, complete, follow, printing
from forger.cli.pictures import Model
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.schemas.augmentations import AugmentationReport, Spread
    from forger.schemas.jobs import PlanOut

ARM_NAMES = {
    "real": "real pictures",
    "generated": "generated pictures",
    "both": "half generated, half real",
    "classical": "real, moved and turned",
}
"""names of what a classifier was trained with"""
MIN_SEEDS, MAX_SEEDS = 3, 10


class AugmentArguments(TypedDict):
    """The keyword arguments of Forger.augment."""

    model: str | None
    recipe: str | None
    budget: dict[str, Any] | None
    seed: int | None
    seeds: int | None
    classifier_steps: int | None


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the plan of the job, or its refusals.")
    ] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Wait for the report.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Draw labelled pictures and test whether they help: `forger augment digits --per-class 200 --follow`."""
    if per_class is None:
        raise Refusal("Say how many pictures of each class: --per-class 200.")
    forger = common.client(ctx)
    budget = None if steps is None else {"steps": steps}
    how: AugmentArguments = {
        "model": model, "recipe": recipe, "budget": budget, "seed": seed, "seeds": seeds,
        "classifier_steps": classifier_steps,
    }  # fmt: skip
    if dry_run:
        _print_plan(forger.try_augmentation(dataset, per_class, **how), as_json=as_json)
        return
    job = forger.augment(dataset, per_class, **how)
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


def _print_plan(plan: "PlanOut", *, as_json: bool) -> None:
    """Print what the job would do; exit code 1 if it is refused."""
    if as_json:
        printing.print_json(plan)
    elif plan.refusals:
        for refused in plan.refusals:
            typer.echo(f"{refused.pointer or 'augmentation'}: {refused.message}")
    else:
        spec, estimate = plan.spec, plan.estimate
        assert spec is not None
        assert spec.kind == "augment"
        model = plan.model if spec.weights is None else spec.weights.model
        typer.echo(f"It can be augmented: {plan.dataset}, {spec.per_class} pictures of each class, by {model}.")
        if spec.weights is None:
            typer.echo(f"The job trains this model first, a {plan.family or 'generator of the recipe'}.")
        if estimate is not None and estimate.minutes is not None:
            takes = printing.duration_words(60 * estimate.minutes)
            typer.echo(f"The training alone takes {takes} on this service; filter and classifiers come after it.")
        held_out = "every fifth picture of each class" if spec.held_out == "fifth" else "the test split"
        typer.echo(f"Then it compares {len(ARM_NAMES) * spec.seeds} classifiers on {held_out}.")
        for note in plan.notes:
            typer.echo(note)
    if plan.refusals:
        raise typer.Exit(1)


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
