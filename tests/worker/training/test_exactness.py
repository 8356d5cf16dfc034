"""2N steps equal N, save, load into a fresh trainer, N more: bit for bit, for every family."""

import copy
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.checkpoint import SavedCheckpoint
from models.export import export_checkpoint
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training.listener import Finished, Listener, Quiet, Report, Stop, Stopped
from worker.training.loop import train
from worker.training.numerics import Numerics, apply, measure
from worker.training.trainer import NonFinite, Trainer

# Small enough that every family takes its steps in seconds; R1 is due at steps 0 and 8.
TINY: dict[str, Any] = {"data": {"side": 8}, "generator": {"width": 4}, "critic": {"width": 4}}
SMALL: dict[str, dict[str, Any]] = {
    "cyclegan": {"data": {"side": 16}, "game": {"pool": 6}, "generator": {"blocks": 1}, "critic": {"layers": 1}},
    "gan": {"batch_size": 16},
    "acgan": TINY,
    "began": TINY | {"critic": {"width": 4, "code": 8}},
    "sngan": TINY,
    "sagan": TINY,
    "biggan": TINY,
    "progan": TINY | {"data": {"side": 16}},  # three stages, of which two fade in within these steps
    "stackgan": TINY | {"generator": {"width": 4, "condition": 8}},  # the second stage begins at the half
    "d2gan": TINY,
    "r3gan": TINY,
    "unrolled": TINY | {"turns": {"unrolled": 2}},
    "pacgan": TINY,
    "minibatch": TINY,
    "mdgan": TINY,
    "gumbel_gan": {"generator": {"width": 8}, "critic": {"width": 4}},
    "autoencoder": {"data": {"side": 8}, "generator": {"width": 4}},
    "pix2pix": {"data": {"side": 16}, "generator": {"width": 4, "depth": 2}, "critic": {"width": 4, "layers": 1}},
    "srgan": {"generator": {"width": 4, "blocks": 1}, "critic": {"width": 4}, "game": {"features_steps": 2}},
    "inpaint": {"generator": {"kind": "unet", "width": 4, "depth": 2, "dropout": 0.5}, "critic": {"width": 4}},
}
STEPS = 10


def small(family: str, seed: int = 3, **changes: Any) -> Recipe:
    overrides = {"batch_size": 8} | SMALL.get(family, {}) | changes
    recipe = resolve(family, seed=seed, budget={"steps": STEPS}, overrides=overrides)[1]
    return recipe.model_copy(update={"checkpoint_every": 5, "report_every": 2})


def trainer(recipe: Recipe, threads: int = 1) -> Trainer:
    numerics = measure("cpu", recipe, threads)
    apply(numerics)
    device = torch.device("cpu")
    return Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, numerics.precision)


def advance(one: Trainer, steps: int) -> list[float]:
    return [sum(loss.item() for loss in one.advance().values()) for _ in range(steps)]


def assert_same(left: Any, right: Any, where: str = "") -> None:
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same(left[key], right[key], f"{where}/{key}")
    elif isinstance(left, list):
        for i, (a, b) in enumerate(zip(left, right, strict=True)):
            assert_same(a, b, f"{where}/{i}")
    else:
        assert left == right, where


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize("family", FAMILIES)
def test_half_saved_and_loaded_equals_whole(family: str, tmp_path: Path) -> None:
    assert_half_equals_whole(small(family), tmp_path)


def test_half_saved_and_loaded_equals_whole_in_crops(tmp_path: Path) -> None:
    assert_half_equals_whole(small("cyclegan", data={"side": 16, "load": 24, "flip": True}), tmp_path)


def assert_half_equals_whole(recipe: Recipe, tmp_path: Path) -> None:
    whole = trainer(recipe)
    losses = advance(whole, STEPS)
    half = trainer(recipe)
    first = advance(half, STEPS // 2)
    saved = checkpoint.save(half.state_dict(), tmp_path, attempt=1)
    torch.manual_seed(99)  # what the global generator holds must not matter
    rest = trainer(recipe)
    rest.load_state_dict(checkpoint.load(saved.path, saved.sha256))
    second = advance(rest, STEPS // 2)
    assert first + second == losses
    assert_same(rest.state_dict(), whole.state_dict())


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("order", ["critic_first", "generator_first", "simultaneous"])
def test_orders_of_turns_differ_and_each_is_exact(order: str) -> None:
    recipe = small("dcgan", turns={"order": order})
    losses = advance(trainer(recipe), 4)
    assert losses == advance(trainer(recipe), 4)
    if order != "critic_first":
        assert losses != advance(trainer(small("dcgan")), 4)


class Notes(Quiet):
    """A listener that writes everything down and stops when told."""

    def __init__(self, stop_at: int | None = None, why: Stop = Stop.PAUSE) -> None:
        self.reports: list[Report] = []
        self.checkpoints: list[SavedCheckpoint] = []
        self.step = 0
        self.stop_at, self.why = stop_at, why

    def beat(self, step: int) -> None:
        self.step = step

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def saved(self, saved: SavedCheckpoint) -> None:
        self.checkpoints.append(saved)

    def should_stop(self) -> Stop | None:
        return self.why if self.step == self.stop_at else None


def run(
    recipe: Recipe,
    folder: Path,
    notes: Listener,
    attempt: int = 1,
    resume: Path | None = None,
    **beginning: Any,
) -> Finished | Stopped:
    """`beginning`: `start`, `weights`, `judges` and `extended_at`, as `train` takes them."""
    numerics = measure("cpu", recipe, 1)
    apply(numerics)
    data = load(recipe.data, None)
    return train(recipe, data, notes, folder=folder, attempt=attempt, resume=resume, numerics=numerics, **beginning)


@pytest.mark.slow
def test_loop_saves_reports_and_a_paused_job_ends_with_the_same_export(tmp_path: Path) -> None:
    recipe = small("cdcgan", watch=None)
    notes = Notes()
    assert run(recipe, tmp_path / "whole", notes) == Finished(STEPS)
    assert [saved.step for saved in notes.checkpoints] == [0, 5, 10]
    assert [report.step for report in notes.reports] == [2, 4, 6, 8, 10]
    assert "critic/auxiliary" in notes.reports[0].values
    assert notes.reports[0].draw is not None
    assert notes.reports[0].draw().startswith(b"\x89PNG")

    first = Notes(stop_at=3)
    assert run(recipe, tmp_path / "paused", first) == Stopped(Stop.PAUSE, 3)
    assert [saved.step for saved in first.checkpoints] == [0, 3]
    second = Notes()
    assert run(recipe, tmp_path / "paused", second, 2, first.checkpoints[-1].path) == Finished(STEPS)
    assert [report.step for report in second.reports] == [4, 6, 8, 10]
    export_checkpoint(recipe, notes.checkpoints[-1].path, tmp_path / "whole.safetensors")
    export_checkpoint(recipe, second.checkpoints[-1].path, tmp_path / "paused.safetensors")
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "paused.safetensors").read_bytes()


@pytest.mark.slow
def test_past_weights_of_a_job_that_begins_with_anothers_are_anothers(tmp_path: Path) -> None:
    averaging: dict[str, Any] = {"penalties": [{"kind": "historical_averaging"}]}
    source = Notes()
    run(small("dcgan", **averaging), tmp_path, source)
    begun = trainer(small("dcgan", seed=8, **averaging))
    begun.begin_with(checkpoint.load(source.checkpoints[-1].path))
    losses = begun.advance()
    assert losses["critic/historical_averaging"].item() == 0
    assert losses["generator/historical_averaging"].item() == 0


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", ["cdcgan", "cyclegan"])
def test_a_job_that_begins_with_anothers_weights_is_as_exact(family: str, tmp_path: Path) -> None:
    source = Notes()
    run(small(family), tmp_path / "source", source)
    start, recipe = source.checkpoints[-1].path, small(family, seed=8)
    whole, killed, resumed = Notes(), Notes(stop_at=7, why=Stop.RELEASE), Notes()
    run(recipe, tmp_path / "whole", whole, start=start)
    run(recipe, tmp_path / "killed", killed, start=start)
    run(recipe, tmp_path / "killed", resumed, 2, resume=killed.checkpoints[1].path, start=start)
    exports = [tmp_path / f"{name}.safetensors" for name in ("whole", "resumed")]
    for notes, export in zip((whole, resumed), exports, strict=True):
        export_checkpoint(recipe, notes.checkpoints[-1].path, export)
    assert exports[0].read_bytes() == exports[1].read_bytes()


@pytest.mark.slow
def test_weights_are_taken_over_and_nothing_else(tmp_path: Path) -> None:
    source = Notes()
    run(small("cyclegan"), tmp_path / "source", source)
    taken = checkpoint.load(source.checkpoints[-1].path)
    begun = trainer(small("cyclegan", seed=8))
    fresh = trainer(small("cyclegan", seed=8)).state_dict()
    begun.begin_with(taken)
    for part, state in begun.state_dict().items():
        assert_same(state, taken[part] if part in ("generator", "critic", "average") else fresh[part], part)


def test_moments_saved_in_another_order_of_memory_are_the_same_moments() -> None:
    """As checkpoints from before networks were channels last have them."""
    first = trainer(small("dcgan"))
    for _ in range(3):
        first.advance()
    state = copy.deepcopy(first.state_dict())
    for player in ("generator_optimizer", "critic_optimizer"):
        for moments in state[player]["state"].values():
            moments |= {name: moment.contiguous() for name, moment in moments.items()}
    second = trainer(small("dcgan"))
    second.load_state_dict(state)
    assert any(not weight.is_contiguous() for weight in second.generator.network.parameters())
    first.advance()
    second.advance()
    assert_same(second.state_dict(), first.state_dict(), "state")


def test_cancel_saves_nothing(tmp_path: Path) -> None:
    notes = Notes(stop_at=3, why=Stop.CANCEL)
    assert run(small("gan"), tmp_path, notes) == Stopped(Stop.CANCEL, 3)
    assert [saved.step for saved in notes.checkpoints] == [0]


@pytest.mark.processes
def test_a_fresh_process_gives_the_same_export(tmp_path: Path) -> None:
    recipe = small("wgan_gp")
    notes = Notes()
    run(recipe, tmp_path, notes)
    export_checkpoint(recipe, notes.checkpoints[-1].path, tmp_path / "here.safetensors")
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    program = (
        "import sys; from pathlib import Path; from models.spec.recipe import Recipe;"
        "from tests_exactness import Notes, run; from models.export import export_checkpoint;"
        "folder = Path(sys.argv[1]); notes = Notes();"
        "recipe = Recipe.model_validate_json((folder / 'recipe.json').read_text());"
        "run(recipe, folder / 'other', notes);"
        "export_checkpoint(recipe, notes.checkpoints[-1].path, folder / 'there.safetensors')"
    )
    # The module's own name depends on pytest's import mode, so the child gets a copy under a name of its own.
    (tmp_path / "tests_exactness.py").write_text(Path(__file__).read_text())
    root = Path(__file__).parents[3]
    paths = f"{root}:{tmp_path}"
    environment = {**os.environ, "PYTHONPATH": paths, "GOMP_SPINCOUNT": "0"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=environment, cwd=tmp_path)
    assert (tmp_path / "here.safetensors").read_bytes() == (tmp_path / "there.safetensors").read_bytes()


def test_a_loss_that_is_not_finite_ends_the_run_before_it_is_saved(tmp_path: Path) -> None:
    wild: dict[str, Any] = {
        "generator_optimizer": {"kind": "sgd", "rate": 10.0},
        "critic_optimizer": {"kind": "sgd", "rate": 10.0},
    }
    recipe = small("wgan_gp", **wild)
    notes = Notes()
    with pytest.raises(NonFinite, match=r"at step \d+ \(examples \d+") as caught:
        run(recipe, tmp_path, notes)
    assert len(caught.value.indices) == recipe.batch_size
    state = checkpoint.load(notes.checkpoints[-1].path)
    assert all(weight.isfinite().all() for weight in state["generator"].values())


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    saved = checkpoint.save({"step": 1, "x": torch.zeros(3)}, tmp_path, attempt=1)
    content = bytearray(saved.path.read_bytes())
    content[len(content) // 2] ^= 1
    saved.path.write_bytes(content)
    with pytest.raises(checkpoint.DamagedCheckpoint, match="not the file that was recorded"):
        checkpoint.load(saved.path, saved.sha256)
    with pytest.raises(checkpoint.DamagedCheckpoint, match="cannot be read"):
        checkpoint.load(tmp_path / "gone.pt")
    assert not list(tmp_path.glob("*.tmp"))


def test_numerics_travel_as_json_and_differences_are_said() -> None:
    here = measure("cpu", small("gan"), 2)
    assert Numerics.from_dict(here.as_dict()) == here
    assert here.precision == "fp32", "tiny fully connected players stay in fp32"


def test_batches_show_every_example_once_an_epoch() -> None:
    recipe = small("dcgan").model_copy(update={"batch_size": 100})
    batches = Batches(recipe, load(recipe.data, None), torch.device("cpu"))
    rows = torch.cat([batches.indices(draw) for draw in range(18)])[:1797]
    assert sorted(rows.tolist()) == list(range(1797))
    other = Batches(recipe.model_copy(update={"seed": 9}), load(recipe.data, None), torch.device("cpu"))
    assert not torch.equal(batches.indices(0), other.indices(0))


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize(
    "family", [name for name, family in FAMILIES.items() if family.game == "synthesis" and "images" in family.kinds]
)
def test_every_synthesis_family_takes_a_step_on_digits_without_overrides(family: str) -> None:
    assert all(math.isfinite(loss) for loss in advance(trainer(resolve(family, dataset="digits")[1]), 1))


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("side", [8, 28, 32, 64, 96])
def test_dcgan_trains_at_any_side(side: int) -> None:
    recipe = small("dcgan", batch_size=4, data={"side": side}, generator={"width": 8}, critic={"width": 8})
    assert all(math.isfinite(loss) for loss in advance(trainer(recipe), 2))
