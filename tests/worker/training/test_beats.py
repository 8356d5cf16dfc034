"""Everything of a runner that is longer than a step beats all along, and ends where a beat says so."""

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


class Enough(Exception):
    """What a beat raises where the attempt is to end."""


def narrow(family: str = "dcgan", dataset: str = "digits", side: int = 16, **more: Any) -> Recipe:
    small = {"generator": {"width": 4}, "critic": {"width": 4}, "batch_size": 4, "data": {"side": side}}
    asked = {"watch": {"every": 1, "samples": 40}, "checkpoint_every": 1, **more}
    return resolve(family, dataset=dataset, seed=3, budget={"steps": 1}, overrides=small | asked)[1]


def pictures(side: int, n: int = 24) -> Data:
    return Data(images=torch.randint(256, (n, 1, side, side), dtype=torch.uint8), labels=torch.arange(n) % 10)


def trainer(side: int) -> Trainer:
    recipe = narrow(side=side)
    return Trainer(recipe, Batches(recipe, pictures(side), CPU), CPU, "fp32")


def load_phase(family: str, dataset: str, side: int) -> Phase:
    return lambda beat, _: load(narrow(family, dataset, side=side).data, None, heartbeat=beat)


def judged(beat: Heartbeat, folder: Path) -> object:
    return judge.trained_judge(pictures(16), None, 3, beat)


def read_by_a_judge(beat: Heartbeat, folder: Path) -> object:
    return judge._training_set(pictures(LARGE, 3 * chunked.CHUNK_EXAMPLES), beat)


def looked(beat: Heartbeat, folder: Path) -> object:
    recipe = narrow(side=LARGE)
    return Inspector(recipe, build_generator(recipe), pictures(LARGE), folder, beat).measure()


def evaluated(beat: Heartbeat, folder: Path) -> object:
    recipe = narrow(side=16)
    generator = build_generator(recipe).eval()
    return evaluate(
        recipe, generator, 1, lambda _: pictures(16, 40), n=40, cache=folder, heartbeat=beat, only=["frechet"]
    )


def drawn(beat: Heartbeat, folder: Path) -> object:
    return sample_sheet(trainer(LARGE * 2), beat)


def paced(beat: Heartbeat, folder: Path) -> object:
    recipe = narrow(watch=None)
    recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"minutes": 0.001})})
    return throughput.measure_throughput(recipe, pictures(16), local_numerics("cpu", recipe, 1), beat, folder=folder)


def exported(beat: Heartbeat, folder: Path) -> object:
    recipe = narrow()
    state = {"step": 1, "average": build_generator(recipe).state_dict()}
    saved = checkpoint.save(state, folder, 1)
    export_checkpoint(recipe, saved.path, folder / "out.safetensors", beat)
    return saved


def hashed(beat: Heartbeat, folder: Path) -> object:
    path = folder / "large"
    path.write_bytes(bytes(3 << 22))
    return sha256_of(path, beat)


PHASES: dict[str, Phase] = {
    "reading digits": load_phase("dcgan", "digits", 16),
    "drawing scenes": load_phase("cyclegan", "day2night", 32),
    "reading for a judge": read_by_a_judge,
    "learning a judge": judged,
    "looking while training": looked,
    "evaluating": evaluated,
    "drawing samples": drawn,
    "measuring the pace": paced,
    "exporting": exported,
    "hashing": hashed,
}


@pytest.mark.parametrize("phase", PHASES)
def test_every_long_phase_beats_and_ends_where_a_beat_says_so(phase: str, tmp_path: Path) -> None:
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 2:
            raise Enough

    with pytest.raises(Enough):
        PHASES[phase](beat, tmp_path)


def test_parts_of_pictures_take_no_more_memory_at_a_larger_side() -> None:
    sizes = {side: chunked.chunk_size((9, 3, side, side)) for side in (8, 64, 256, 512, 1024, 8192)}
    assert {side: size for side, size in sizes.items() if side <= 256} == dict.fromkeys(
        (8, 64, 256), chunked.CHUNK_EXAMPLES
    )
    assert all(size == 1 or size * side**2 <= chunked.EMBEDDED_PIXELS for side, size in sizes.items())
    assert chunked.chunk_size((9, 2)) == chunked.chunk_size((9, 12, 4)) == chunked.CHUNK_EXAMPLES


@pytest.mark.parametrize("n", [None, 5, 24, 100])
def test_shares_are_what_is_wanted_of_a_pile_in_its_order(n: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "CHUNK_EXAMPLES", 4)
    pile: Tensor = torch.arange(24)[:, None].float()
    whole = pile if n is None else chunked.evenly_spaced(pile, n)
    assert torch.equal(torch.cat(list(chunked.chunks(pile, n))), whole)
    assert max(len(part) for part in chunked.chunks(pile, n)) <= 4


def test_a_stop_is_obeyed_while_a_judge_learns(tmp_path: Path) -> None:
    class Stopping(NullListener):
        beats = 0

        def beat(self, step: int) -> None:
            self.beats += 1

        def should_stop(self) -> Stop | None:
            return Stop.CANCEL if self.beats > 3 else None

    recipe, listener = narrow(), Stopping()
    ended = train(
        recipe,
        pictures(16),
        listener,
        folder=tmp_path,
        attempt=1,
        resume=None,
        numerics=local_numerics("cpu", recipe, 1),
    )
    assert ended == Stopped(Stop.CANCEL, 1)
    assert listener.beats < 10, "a judge learns 300 steps"
