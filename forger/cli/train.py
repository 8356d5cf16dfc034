"""Run `forger train`: start a training from a family's name, or from a file with a recipe or a request."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import typer

from forger.cli import common, complete, follow, printing
from forger.cli.refusals import Refusal

if TYPE_CHECKING:
    from forger.client import Forger
    from forger.job import Job

Json = dict[str, Any]


class TrainArguments(TypedDict):
    """The keyword arguments of Forger.train."""

    dataset: str | None
    seed: int | None
    budget: Json | None
    overrides: Json | None
    model: str | None
    start_from: str | None
    resources: Json | None


def train(
    ctx: typer.Context,
    family: Annotated[
        str | None, typer.Argument(help="A family; `forger recipes` lists them.", autocompletion=complete.families)
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The dataset; each family has a default.", autocompletion=complete.datasets)
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget: a number of steps,")] = None,
    epochs: Annotated[float | None, typer.Option(help="or of passes over the data,")] = None,
    minutes: Annotated[float | None, typer.Option(help="or of minutes.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of everything random.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change the recipe: batch_size=32.")
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A file with a whole recipe, instead of a family.")] = None,
    request: Annotated[
        Path | None,
        typer.Option(help="A file with a body of POST /jobs, instead of a family; other options override it."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The name to publish; default {family}-{dataset}.")] = None,
    start_from: Annotated[str | None, typer.Option(help="Begin with the weights of this checkpoint.")] = None,
    devices: Annotated[int | None, typer.Option(min=1, help="Number of devices to train on.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print the plan of the job, or its refusals.")
    ] = False,
    following: Annotated[bool, typer.Option("--follow", "-f", help="Watch until it ends.")] = False,
    as_json: common.AsJson = False,
) -> None:
    """Train a GAN: `forger train cdcgan --dataset mnist --follow`."""
    arguments: TrainArguments = {
        "dataset": dataset,
        "seed": seed,
        "budget": _budget(steps=steps, epochs=epochs, minutes=minutes),
        "overrides": overrides(set_ or []) or None,
        "model": model,
        "start_from": start_from,
        "resources": None if devices is None else {"devices": devices},
    }
    what, arguments = _recipe_and_arguments(family, recipe, request, arguments)
    forger = common.client(ctx)
    if dry_run:
        _dry_run(forger, what, arguments, as_json=as_json)
        return
    job = forger.train(what, **arguments)
    if as_json:
        printing.print_json(job.reply)
    if following:
        follow.follow(job)
    elif not as_json:
        _print_queued(job)


def _recipe_and_arguments(
    family: str | None, recipe: Path | None, request: Path | None, arguments: TrainArguments
) -> tuple[str | Json, TrainArguments]:
    """Return family or recipe, and the arguments: of the family, the recipe file or the request file."""
    named = [one for one in (family, recipe, request) if one is not None]
    if len(named) != 1:
        raise Refusal(
            "Name a family, a --recipe file or a --request file, one of the three; `forger recipes` lists the families."
        )
    if family is not None:
        return family, arguments
    if recipe is not None:
        read = _object(recipe, "recipe")
        if "recipe" in read:
            raise Refusal(f"{recipe} holds a request of its own: send it with --request {recipe}.")
        return read, arguments
    assert request is not None
    body = _object(request, "request")
    if strange := sorted(body.keys() - arguments.keys() - {"kind", "recipe"}):
        raise Refusal(f"{request} holds more than a training takes: {', '.join(strange)}. Send it with curl.")
    changed: Json = {name: value for name, value in arguments.items() if value is not None}
    changed["overrides"] = merge_overrides(body.get("overrides") or {}, changed.get("overrides") or {}) or None
    return body.get("recipe", ""), cast(TrainArguments, {name: changed.get(name, body.get(name)) for name in arguments})


def merge_overrides(base: Json, change: Json) -> Json:
    """Merge two changes of a recipe into one as in RFC 7396; exception: a changed `kind` replaces its whole object."""
    if "kind" in change and change["kind"] != base.get("kind"):
        return change
    merged = dict(base)
    for name, value in change.items():
        old = merged.get(name)
        merged[name] = (
            merge_overrides(old if isinstance(old, dict) else {}, value) if isinstance(value, dict) else value
        )
    return merged


def _object(file: Path, what: str) -> Json:
    read = read_json(file)
    if not isinstance(read, dict):
        raise Refusal(f"{file} holds no {what}: it must be a JSON object, as `forger jobs show ID --json` has one.")
    return read


def read_json(file: Path) -> Any:
    try:
        return _json(file.read_text())
    except ValueError as error:
        raise Refusal(f"{file} holds no JSON ({error}).") from None


def _budget(**ways: float | None) -> Json | None:
    budgets = {name: value for name, value in ways.items() if value is not None}
    for name, value in budgets.items():
        if not math.isfinite(value):
            raise Refusal(f"--{name} takes a finite number, not {value}.")
    if len(budgets) > 1:
        raise Refusal(f"Give one of {' and '.join('--' + name for name in budgets)}: a job has one budget.")
    return budgets or None


def overrides(settings: list[str]) -> Json:
    """Return `a.b=1` as {"a": {"b": 1}}; a value that is no JSON is a string."""
    overrides: Json = {}
    for setting in settings:
        path, equals, value = setting.partition("=")
        *way, name = path.strip().split(".")
        if not equals or not all((*way, name)):
            raise Refusal(f"--set takes path.to.field=value, not '{setting}'.")
        nested = overrides
        for step in way:
            nested = nested.setdefault(step, {})
            if not isinstance(nested, dict):
                raise Refusal(f"--set {setting}: '{step}' was set to a value before.")
        nested[name] = _value(value)
    return overrides


def _value(text: str) -> Any:
    try:
        return _json(text)
    except ValueError:
        return text


def _json(text: str) -> Any:
    """Parse JSON. Raises ValueError also for numbers that JSON cannot represent."""
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(number: str) -> float:
    if not math.isfinite(float(number)):
        raise ValueError(f"{number} is no finite number")
    return float(number)


def _dry_run(forger: "Forger", what: str | Json, arguments: TrainArguments, *, as_json: bool) -> None:
    """Print the plan of the job; exit code 1 if it is refused."""
    answer = forger.dry_run(what, **arguments)
    if as_json:
        printing.print_json(answer)
    elif answer.refusals:
        for refused in answer.refusals:
            typer.echo(f"{refused.pointer or 'recipe'}: {refused.message}")
    else:
        typer.echo(f"It can be trained: {answer.family or 'a recipe'} on {answer.dataset}, as {answer.model}.")
        if (estimate := answer.estimate) is not None:
            sizes, memory, disk = estimate.parameters, estimate.memory_bytes / 1e9, estimate.disk_bytes / 1e9
            typer.echo(f"Weights: generator {sizes.generator:,}, critic {sizes.critic:,}.")
            typer.echo(f"It takes at most {memory:.1f} GB of memory and {disk:.2f} GB on the disk.")
            if estimate.minutes is not None:
                typer.echo(f"It takes {printing.duration_words(60 * estimate.minutes)} on this service.")
        for note in answer.notes:
            typer.echo(note)
    if answer.refusals:
        raise typer.Exit(1)


def _print_queued(job: "Job") -> None:
    reply = job.reply
    place = f" (number {reply.queue_position} in the queue)" if reply.queue_position else ""
    typer.echo(f"{job.id} is {reply.state}{place}: {reply.family or 'a recipe'} on {reply.dataset}.")
    if (sentence := follow.expectation(reply)) is not None:
        typer.echo(sentence)
    typer.echo(f"Watch it with: forger jobs follow {common.id_suffix(job.id)}")
