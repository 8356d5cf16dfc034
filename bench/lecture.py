"""Make the six runs of the lecture on MNIST: their losses by epoch, and their pictures at the end.

    python -m bench.lecture [NAME ...] [--epochs N]

Each run is the body of a `POST /jobs` in examples/lecture, trained here without a service on one thread. It writes its
last sample into docs/pictures/lecture and its figures into bench/results/lecture. docs/lecture.md explains the runs.
"""

import argparse
import json
import time
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app.core.settings import get_settings
from bench.results import CHECKOUT, RESULTS, Row, write
from data.batches import Batches
from data.readers.builtin import load
from models.duel import Losses
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training import numerics as numerics_module
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

BODIES = CHECKOUT / "examples" / "lecture"
PICTURES = CHECKOUT / "docs" / "pictures" / "lecture"
FIGURES = RESULTS / "lecture"
EXAMPLES = 60_000
"""of an epoch"""
say = partial(print, flush=True)


def names() -> list[str]:
    return sorted(path.stem for path in BODIES.glob("*.json"))


def recipe(name: str, **instead: Any) -> Recipe:
    """Return the whole recipe of a run; `instead` replaces parts of its body: dataset, budget."""
    body = json.loads((BODIES / f"{name}.json").read_text()) | instead
    return resolve(
        body["recipe"],
        dataset=body["dataset"],
        seed=body["seed"],
        budget=body["budget"],
        overrides=body["overrides"],
    )[1]


def main() -> None:
    options = _options()
    for name in options.names or names():
        run(name, {"budget": {"epochs": options.epochs}} if options.epochs else {})


def run(name: str, instead: dict[str, Any]) -> None:
    whole = recipe(name, **instead)
    numerics = numerics_module.local_numerics("cpu", whole, 1)
    numerics_module.apply(numerics)
    device = torch.device("cpu")
    trainer = Trainer(whole, Batches(whole, load(whole.data, get_settings().data), device), device, numerics.precision)
    rows, epoch = [], EXAMPLES // whole.batch_size
    began, seen = time.perf_counter(), list[Tensor]()
    while trainer.step < whole.budget.steps:
        seen.append(_both(trainer.advance()))
        if trainer.step % epoch == 0 or trainer.step == whole.budget.steps:
            rows += _rows(trainer.step, torch.stack(seen).mean(0).tolist())
            say(f"{name}: step {trainer.step}, generator {rows[-2].value:.4f}, critic {rows[-1].value:.4f}")
            seen.clear()
    seconds = time.perf_counter() - began
    rows.append(Row("whole run", "seconds", seconds))
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(sample_sheet(trainer).draw())
    write(name, rows, FIGURES / f"{name}.json", **numerics.as_dict())
    say(f"{name}: {whole.budget.steps} steps in {seconds:.0f} s")


def _both(losses: Losses) -> Tensor:
    """Return the generator's loss and half the critic's: the course takes the mean over real and fake, we the sum."""
    by_player = {player: [loss for name, loss in losses.items() if name.startswith(player)] for player in PLAYERS}
    return torch.stack([torch.stack(by_player[player]).sum().detach() * share for player, share in PLAYERS.items()])


PLAYERS = {"generator": 1.0, "critic": 0.5}


def _rows(step: int, means: list[float]) -> list[Row]:
    return [Row(f"step {step}", player, value) for player, value in zip(PLAYERS, means, strict=True)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="runs to make (default: all)")
    parser.add_argument("--epochs", type=float, help="instead of the run's own")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names()):
        parser.error(f"There is no run {', '.join(sorted(unknown))}; there are {', '.join(names())}.")
    return options


if __name__ == "__main__":
    main()
