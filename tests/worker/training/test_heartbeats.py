"""Heartbeats: every phase of a runner that is longer than a step sends them, and ends where one raises."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from app.core.store import sha256_of
from data.batches import Batches
from data.readers.builtin import Data, load
from models import checkpoint
from models.build import build_generator
from models.export import export_checkpoint
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.evaluation import chunked, judge
from worker.evaluation.full import evaluate
from worker.evaluation.live import Inspector
from worker.training import throughput
from worker.training.listener import NullListener, Stop, Stopped
from worker.training.loop import train
from worker.training.numerics import local_numerics
from worker.training.samples import sample_sheet
from worker.training.trainer import Trainer

Heartbeat = Callable[[], None]
Phase = Callable[[Heartbeat, Path], object]
CPU = torch.device("cpu")
LARGE = 128


class BeatRaised(Exception):
    """Raised by a heartbeat, as where the attempt is to end."""


def one_step_recipe(family: str = "dcgan", dataset: str = "digits", side: int = 16, **overrides: Any) -> Recipe:
    small = {"generator": {"width": 4}, "critic": {"width": 4}, "batch_size": 4, "data": {"side": side}}
    options = {"watch": {"every": 1, "samples": 40}, "checkpoint_every": 1, **overrides}
    return resolve(family, dataset=dataset, seed=3, budget={"steps": 1}, overrides=small | options)[1]


def random_pictures(side: int, n: int = 24) -> Data:
    return Data(images=torch.randint(256, (n, 1, side, side), dtype=torch.uint8), labels=torch.arange(n) % 10)


def trainer(side: int) -> Trainer:
    recipe = one_step_recipe(side=side)
    return Trainer(recipe, Batches(recipe, random_pictures(side), CPU), CPU, "fp32")


def loading(family: str, dataset: str, side: int) -> Phase:
    return lambda beat, _: load(one_step_recipe(family, dataset, side=side).data, None, heartbeat=beat)


def train_a_judge(beat: Heartbeat, folder: Path) -> object:
    return judge.trained_judge(random_pictures(16), None, 3, beat)


def read_training_set_of_a_judge(beat: Heartbeat, folder: Path) -> object:
    return judge._training_set(random_pictures(LARGE, 3 * chunked.CHUNK_EXAMPLES), beat)


def measure_live(beat: Heartbeat, folder: Path) -> object:
    recipe = one_step_recipe(side=LARGE)
    return Inspector(recipe, build_generator(recipe), random_pictures(LARGE), folder, beat).measure()


def evaluate_fully(beat: Heartbeat, folder: Path) -> object:
    recipe = one_step_recipe(side=16)
    generator = build_generator(recipe).eval()
    return evaluate(
        recipe, generator, 1, lambda _: random_pictures(16, 40), n=40, cache=folder, heartbeat=beat, only=["frechet"]
    )


def draw_samples(beat: Heartbeat, folder: Path) -> object:
    return sample_sheet(trainer(LARGE * 2), beat)


def measure_throughput(beat: Heartbeat, folder: Path) -> object:
    recipe = one_step_recipe(watch=None)
    recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"minutes": 0.001})})
    return throughput.measure_throughput(
        recipe, random_pictures(16), local_numerics("cpu", recipe, 1), beat, folder=folder
    )


def export(beat: Heartbeat, folder: Path) -> object:
    recipe = one_step_recipe()
    state = {"step": 1, "average": build_generator(recipe).state_dict()}
    saved = checkpoint.save(state, folder, 1)
    export_checkpoint(recipe, saved.path, folder / "out.safetensors", beat)
    return saved


def hash_a_file(beat: Heartbeat, folder: Path) -> object:
    path = folder / "large"
    path.write_bytes(bytes(3 << 22))
    return sha256_of(path, beat)


PHASES: dict[str, Phase] = {
    "reading digits": loading("dcgan", "digits", 16),
    "drawing scenes": loading("cyclegan", "day2night", 32),
    "reading the training set of a judge": read_training_set_of_a_judge,
    "training a judge": train_a_judge,
    "evaluating during training": measure_live,
    "evaluating fully": evaluate_fully,
    "drawing samples": draw_samples,
    "measuring the throughput": measure_throughput,
    "exporting": export,
    "hashing": hash_a_file,
}


@pytest.mark.parametrize("phase", PHASES)
def test_long_phase_sends_heartbeats_and_ends_when_one_raises(phase: str, tmp_path: Path) -> None:
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 2:
            raise BeatRaised

    with pytest.raises(BeatRaised):
        PHASES[phase](beat, tmp_path)


def test_chunk_size_shrinks_so_that_larger_pictures_take_no_more_memory() -> None:
    sizes = {side: chunked.chunk_size((9, 3, side, side)) for side in (8, 64, 256, 512, 1024, 8192)}
    assert {side: size for side, size in sizes.items() if side <= 256} == dict.fromkeys(
        (8, 64, 256), chunked.CHUNK_EXAMPLES
    )
    assert all(size == 1 or size * side**2 <= chunked.EMBEDDED_PIXELS for side, size in sizes.items())
    assert chunked.chunk_size((9, 2)) == chunked.chunk_size((9, 12, 4)) == chunked.CHUNK_EXAMPLES


@pytest.mark.parametrize("n", [None, 5, 24, 100])
def test_chunks_cover_evenly_spaced_rows_in_order(n: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK_EXAMPLES", 4)
    rows: Tensor = torch.arange(24)[:, None].float()
    expected = rows if n is None else chunked.evenly_spaced(rows, n)
    assert torch.equal(torch.cat(list(chunked.chunks(rows, n))), expected)
    assert max(len(chunk) for chunk in chunked.chunks(rows, n)) <= 4


def test_stop_request_ends_the_training_of_a_judge(tmp_path: Path) -> None:
    class Stopping(NullListener):
        beats = 0

        def beat(self, step: int) -> None:
            self.beats += 1

        def should_stop(self) -> Stop | None:
            return Stop.CANCEL if self.beats > 3 else None

    recipe, listener = one_step_recipe(), Stopping()
    ended = train(
        recipe,
        random_pictures(16),
        listener,
        folder=tmp_path,
        attempt=1,
        resume=None,
        numerics=local_numerics("cpu", recipe, 1),
    )
    assert ended == Stopped(Stop.CANCEL, 1)
    assert listener.beats < 10, "the judge would train for 300 steps"
