"""How good are the digits that `cdcgan` draws after 3, 6 and 12 minutes of training on MNIST?

    python -m bench.quality [--quick] [--json FILE]

One training run, whose learning-rate schedule ends with the last mark. Its checkpoints are judged afterwards, so that
judging costs no training time. Figures, each over 5,000 digits, 500 a class, at truncation 1:

- agreement: share that a classifier of real digits reads as the class that was asked for
- spread: within-class standard deviation of pixels over that of real digits (1 is right; prototypes have little)
- frechet: Fréchet distance to the real test digits in that classifier's features (smaller is better)
- gan_train: accuracy on real test digits of a classifier that learned from 20,000 drawn digits alone
"""

import argparse
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from app.core.settings import get_settings
from bench import judge as judging
from bench.figures import frechet_distance, share_error, within_class_spread
from bench.judge import Judge, in_parts
from bench.results import RESULTS, Row, show, write
from models.export import cycling_labels, export_checkpoint, load_export
from models.latent import draw_latent
from models.rng import Rng
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training import numerics as numerics_module
from worker.training.data import Data, DatasetMissing, load
from worker.training.loop import Report, Saved, Stop, train
from worker.training.numerics import Numerics

say = partial(print, flush=True)
GOAL = {"agreement": 0.98}
CHECKPOINTS = 24


@dataclass(frozen=True)
class Plan:
    """How long to train and how much to judge; times in seconds of training."""

    marks: tuple[float, ...]
    calibration: int
    judge_epochs: int
    drawn: int = 5_000
    drawn_for_training: int = 20_000
    student_epochs: int = 4


FULL = Plan(marks=(180, 360, 720), calibration=300, judge_epochs=6)
QUICK = Plan(marks=(20, 40, 60), calibration=80, judge_epochs=2, student_epochs=2)


@dataclass
class Clock:
    """A listener that notes when each step and each checkpoint came, in seconds since step 1 ended."""

    aloud: bool
    steps: list[float] = field(default_factory=list)
    checkpoints: list[tuple[float, Saved]] = field(default_factory=list)

    def beat(self, step: int) -> None:
        self.steps.append(time.perf_counter())

    def report(self, report: Report) -> None:
        if self.aloud:
            say(f"  step {report.step:>6}  {self.elapsed:6.0f} s")

    def saved(self, saved: Saved) -> None:
        if saved.step:
            self.checkpoints.append((self.elapsed, saved))

    def should_stop(self) -> Stop | None:
        return None

    @property
    def elapsed(self) -> float:
        return self.steps[-1] - self.steps[0]

    def nearest(self, mark: float) -> tuple[float, Saved]:
        return min(self.checkpoints, key=lambda entry: abs(entry[0] - mark))


def main() -> None:
    options = _options()
    files = get_settings().data
    try:
        real, test = (load(_recipe(1).data, files, split, downloads=judging.CACHE) for split in ("train", "test"))
    except DatasetMissing as error:
        raise SystemExit(str(error)) from error
    numerics = numerics_module.measure("cpu", _recipe(1), options.threads)
    rows = measure(QUICK if options.quick else FULL, real, test, numerics)
    show("cdcgan on MNIST", rows)
    write("quality", rows, options.json, **numerics.as_dict())
    print(f"Written to {options.json}")


def measure(plan: Plan, real: Data, test: Data, numerics: Numerics) -> list[Row]:
    """Train a judge and a forger on `real`, and judge the forger at every mark."""
    numerics_module.apply(numerics)
    say("Training the judge on real digits, or taking the kept one.")
    judge = judging.real_judge(*_labelled(real), epochs=plan.judge_epochs)
    say(f"It reads {judging.accuracy(judge, *_labelled(test)):.2%} of the real test digits.")
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as folder:
        steps = _affordable_steps(plan, real, numerics, Path(folder))
        say(f"Training the forger for {steps} steps, which should take {plan.marks[-1]:.0f} s.")
        recipe = _recipe(steps)
        clock = _train(recipe, real, numerics, Path(folder), aloud=True)
        return [*_against_real(judge, real, test), *_judged(plan, recipe, clock, judge, real, test, Path(folder))]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one minute of training instead of twelve")
    parser.add_argument("--threads", type=int, help="threads to train with (default: what the service would take)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the result goes")
    options = parser.parse_args()
    options.json = options.json or (judging.CACHE / "quality-quick.json" if options.quick else RESULTS / "quality.json")
    return options


def _recipe(steps: int) -> Recipe:
    every = max(1, steps // CHECKPOINTS)
    overrides = {"checkpoint_every": every, "report_every": every}
    _, recipe = resolve("cdcgan", dataset="mnist", seed=1, budget={"steps": steps}, overrides=overrides)
    return recipe


def _train(recipe: Recipe, data: Data, numerics: Numerics, folder: Path, *, aloud: bool) -> Clock:
    clock = Clock(aloud)
    train(recipe, data, clock, folder=folder, attempt=1, resume=None, numerics=numerics)
    return clock


def _affordable_steps(plan: Plan, data: Data, numerics: Numerics, folder: Path) -> int:
    """Steps that fit into the last mark, by the pace of a short run."""
    times = _train(_recipe(plan.calibration), data, numerics, folder, aloud=False).steps
    start = len(times) // 4  # the first steps are slower
    pace = (times[-1] - times[start]) / (len(times) - 1 - start)
    return max(CHECKPOINTS, round(plan.marks[-1] / pace))


def _against_real(judge: Judge, real: Data, test: Data) -> Iterable[Row]:
    """The same figures of real training digits: what a perfect forger would get."""
    pictures, labels = _labelled(real)
    few, named = pictures[:5_000], labels[:5_000]
    yield Row("real digits", "agreement", judging.accuracy(judge, *_labelled(test)), n=len(_labelled(test)[0]))
    yield Row("real digits", "spread", within_class_spread(few, named) / within_class_spread(pictures, labels), n=5_000)
    yield Row("real digits", "frechet", _distance(judge, few, test), n=5_000)


def _judged(
    plan: Plan, recipe: Recipe, clock: Clock, judge: Judge, real: Data, test: Data, folder: Path
) -> Iterable[Row]:
    for mark in plan.marks:
        seconds, saved = clock.nearest(mark)
        export = folder / f"{saved.step}.safetensors"
        export_checkpoint(recipe, saved.path, export)
        case = _label(mark)
        say(f"Judging {case}: step {saved.step}, {seconds:.0f} s of training.")
        yield Row(case, "seconds", seconds)
        yield Row(case, "step", saved.step)
        yield from _figures(plan, case, export, judge, real, test)


def _figures(plan: Plan, case: str, export: Path, judge: Judge, real: Data, test: Data) -> Iterable[Row]:
    pictures, asked = draw(export, plan.drawn, "agreement")
    agreement = judging.accuracy(judge, pictures, asked)
    yield Row(case, "agreement", agreement, share_error(agreement, plan.drawn), plan.drawn, GOAL)
    spread = within_class_spread(pictures, asked) / within_class_spread(*_labelled(real))
    yield Row(case, "spread", spread, n=plan.drawn, against={"real": 1.0})
    yield Row(case, "frechet", _distance(judge, pictures, test), n=plan.drawn)
    student = judging.trained(*draw(export, plan.drawn_for_training, "gan-train"), epochs=plan.student_epochs)
    learned, n = judging.accuracy(student, *_labelled(test)), len(_labelled(test)[0])
    against = {"trained on real digits": judging.accuracy(judge, *_labelled(test))}
    yield Row(case, "gan_train", learned, share_error(learned, n), n, against)


@torch.no_grad()
def draw(export: Path, n: int, stream: str) -> tuple[Tensor, Tensor]:
    """`n` drawn digits, uint8 [n, 1, 28, 28], with the classes that were asked for, each equally often."""
    loaded = load_export(export)
    asked = cycling_labels(loaded.recipe.classes, n)
    assert asked is not None
    latents = draw_latent(loaded.recipe.latent, Rng(0).stream(stream), n)
    generator = loaded.networks["generator"]
    pairs = zip(in_parts(latents), in_parts(asked), strict=True)
    parts = [generator(z, label) for z, label in pairs]
    drawn = torch.cat(parts).clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return drawn, asked


def _distance(judge: Judge, pictures: Tensor, test: Data) -> float:
    return frechet_distance(judging.features(judge, pictures), judging.features(judge, _labelled(test)[0]))


def _labelled(data: Data) -> tuple[Tensor, Tensor]:
    assert data.images is not None
    assert data.labels is not None
    return data.images, data.labels


def _label(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 100 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    main()
