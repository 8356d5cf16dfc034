"""Exactness: a training that was stopped and resumed ends with the bytes of an uninterrupted one, in every family."""

import copy
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from app.core.settings import CHECKOUT
from data.batches import Batches
from data.readers.builtin import load
from models import checkpoint
from models.export import export_checkpoint
from models.spec.families import FAMILIES
from models.spec.resolve import resolve
from tests.support.recipes import STEPS, small_recipe
from tests.support.training import (
    RecordingListener,
    advance,
    assert_half_equals_whole,
    assert_same,
    new_trainer,
    run_training,
)
from worker.training.listener import Finished, Stop, Stopped
from worker.training.numerics import Numerics, local_numerics
from worker.training.trainer import NonFinite


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize("family", FAMILIES)
def test_family_resumed_from_a_checkpoint_equals_an_uninterrupted_training(family: str, tmp_path: Path) -> None:
    assert_half_equals_whole(small_recipe(family), tmp_path)


def test_training_on_crops_resumed_from_a_checkpoint_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    assert_half_equals_whole(small_recipe("cyclegan", data={"side": 16, "load": 24, "flip": True}), tmp_path)


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("order", ["critic_first", "generator_first", "simultaneous"])
def test_every_order_of_updates_is_reproducible_and_gives_other_losses(order: str) -> None:
    recipe = small_recipe("dcgan", turns={"order": order})
    losses = advance(new_trainer(recipe), 4)
    assert losses == advance(new_trainer(recipe), 4)
    if order != "critic_first":  # the default order
        assert losses != advance(new_trainer(small_recipe("dcgan")), 4)


@pytest.mark.slow
def test_loop_saves_and_reports_on_schedule_and_a_resumed_training_exports_the_same(tmp_path: Path) -> None:
    recipe = small_recipe("cdcgan", watch=None)
    whole = RecordingListener()
    assert run_training(recipe, tmp_path / "whole", whole) == Finished(STEPS)
    assert [saved.step for saved in whole.checkpoints] == [0, 5, 10]
    assert [report.step for report in whole.reports] == [2, 4, 6, 8, 10]
    assert "critic/auxiliary" in whole.reports[0].values
    assert whole.reports[0].draw is not None
    assert whole.reports[0].draw().startswith(b"\x89PNG")

    first = RecordingListener(stop_at=3)
    assert run_training(recipe, tmp_path / "paused", first) == Stopped(Stop.PAUSE, 3)
    assert [saved.step for saved in first.checkpoints] == [0, 3]
    second = RecordingListener()
    assert run_training(recipe, tmp_path / "paused", second, 2, first.checkpoints[-1].path) == Finished(STEPS)
    assert [report.step for report in second.reports] == [4, 6, 8, 10]
    export_checkpoint(recipe, whole.checkpoints[-1].path, tmp_path / "whole.safetensors")
    export_checkpoint(recipe, second.checkpoints[-1].path, tmp_path / "paused.safetensors")
    assert (tmp_path / "whole.safetensors").read_bytes() == (tmp_path / "paused.safetensors").read_bytes()


@pytest.mark.slow
def test_historical_averaging_starts_from_the_source_weights(tmp_path: Path) -> None:
    averaging: dict[str, Any] = {"penalties": [{"kind": "historical_averaging"}]}
    source = RecordingListener()
    run_training(small_recipe("dcgan", **averaging), tmp_path, source)
    started = new_trainer(small_recipe("dcgan", seed=8, **averaging))
    started.start_from_weights(checkpoint.load(source.checkpoints[-1].path))
    losses = started.advance()
    assert losses["critic/historical_averaging"].item() == 0
    assert losses["generator/historical_averaging"].item() == 0


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", ["cdcgan", "cyclegan"])
def test_training_that_starts_from_other_weights_resumes_exactly(family: str, tmp_path: Path) -> None:
    source = RecordingListener()
    run_training(small_recipe(family), tmp_path / "source", source)
    start, recipe = source.checkpoints[-1].path, small_recipe(family, seed=8)
    whole, resumed = RecordingListener(), RecordingListener()
    released = RecordingListener(stop_at=7, reason=Stop.RELEASE)
    run_training(recipe, tmp_path / "whole", whole, start=start)
    run_training(recipe, tmp_path / "released", released, start=start)
    run_training(recipe, tmp_path / "released", resumed, 2, resume=released.checkpoints[1].path, start=start)
    exports = [tmp_path / f"{name}.safetensors" for name in ("whole", "resumed")]
    for listener, export in zip((whole, resumed), exports, strict=True):
        export_checkpoint(recipe, listener.checkpoints[-1].path, export)
    assert exports[0].read_bytes() == exports[1].read_bytes()


@pytest.mark.slow
def test_start_from_weights_copies_the_networks_and_nothing_else(tmp_path: Path) -> None:
    source = RecordingListener()
    run_training(small_recipe("cyclegan"), tmp_path / "source", source)
    loaded = checkpoint.load(source.checkpoints[-1].path)
    started = new_trainer(small_recipe("cyclegan", seed=8))
    fresh = new_trainer(small_recipe("cyclegan", seed=8)).state_dict()
    started.start_from_weights(loaded)
    for part, state in started.state_dict().items():
        assert_same(state, loaded[part] if part in ("generator", "critic", "average") else fresh[part], part)


def test_optimizer_moments_saved_in_another_memory_format_give_the_same_steps() -> None:
    """Checkpoints of versions before channels-last networks hold contiguous moments."""
    first = new_trainer(small_recipe("dcgan"))
    for _ in range(3):
        first.advance()
    state = copy.deepcopy(first.state_dict())
    for player in ("generator_optimizer", "critic_optimizer"):
        for moments in state[player]["state"].values():
            moments |= {name: moment.contiguous() for name, moment in moments.items()}
    second = new_trainer(small_recipe("dcgan"))
    second.load_state_dict(state)
    assert any(not weight.is_contiguous() for weight in second.generator.network.parameters())
    first.advance()
    second.advance()
    assert_same(second.state_dict(), first.state_dict(), "state")


def test_cancel_does_not_save_a_checkpoint(tmp_path: Path) -> None:
    listener = RecordingListener(stop_at=3, reason=Stop.CANCEL)
    assert run_training(small_recipe("gan"), tmp_path, listener) == Stopped(Stop.CANCEL, 3)
    assert [saved.step for saved in listener.checkpoints] == [0]


@pytest.mark.processes
def test_new_process_exports_the_same_bytes(tmp_path: Path) -> None:
    recipe = small_recipe("wgan_gp")
    listener = RecordingListener()
    run_training(recipe, tmp_path, listener)
    export_checkpoint(recipe, listener.checkpoints[-1].path, tmp_path / "here.safetensors")
    (tmp_path / "recipe.json").write_text(recipe.model_dump_json())
    program = (
        "import sys; from pathlib import Path; from models.export import export_checkpoint;"
        "from models.spec.recipe import Recipe;"
        "from tests.support.training import RecordingListener, run_training;"
        "folder = Path(sys.argv[1]); listener = RecordingListener();"
        "recipe = Recipe.model_validate_json((folder / 'recipe.json').read_text());"
        "run_training(recipe, folder / 'other', listener);"
        "export_checkpoint(recipe, listener.checkpoints[-1].path, folder / 'there.safetensors')"
    )
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=env, cwd=tmp_path)
    assert (tmp_path / "here.safetensors").read_bytes() == (tmp_path / "there.safetensors").read_bytes()


def test_non_finite_loss_ends_training_and_no_checkpoint_holds_it(tmp_path: Path) -> None:
    diverging: dict[str, Any] = {
        "generator_optimizer": {"kind": "sgd", "rate": 10.0},
        "critic_optimizer": {"kind": "sgd", "rate": 10.0},
    }
    recipe = small_recipe("wgan_gp", **diverging)
    listener = RecordingListener()
    with pytest.raises(NonFinite, match=r"at step \d+ \(examples \d+") as caught:
        run_training(recipe, tmp_path, listener)
    assert len(caught.value.indices) == recipe.batch_size
    state = checkpoint.load(listener.checkpoints[-1].path)
    assert all(weight.isfinite().all() for weight in state["generator"].values())


def test_damaged_or_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    saved = checkpoint.save({"step": 1, "x": torch.zeros(3)}, tmp_path, attempt=1)
    content = bytearray(saved.path.read_bytes())
    content[len(content) // 2] ^= 1
    saved.path.write_bytes(content)
    with pytest.raises(checkpoint.DamagedCheckpoint, match="not the file that was recorded"):
        checkpoint.load(saved.path, saved.sha256)
    with pytest.raises(checkpoint.DamagedCheckpoint, match="cannot be read"):
        checkpoint.load(tmp_path / "gone.pt")
    assert not list(tmp_path.glob("*.tmp"))


def test_numerics_survive_a_round_trip_and_tiny_mlps_stay_in_fp32() -> None:
    here = local_numerics("cpu", small_recipe("gan"), 2)
    assert Numerics.from_dict(here.as_dict()) == here
    assert here.precision == "fp32", "tiny fully connected players stay in fp32"


def test_batches_show_every_example_once_per_epoch() -> None:
    recipe = small_recipe("dcgan").model_copy(update={"batch_size": 100})
    batches = Batches(recipe, load(recipe.data, None), torch.device("cpu"))
    rows = torch.cat([batches.indices(draw) for draw in range(18)])[:1797]
    assert sorted(rows.tolist()) == list(range(1797))
    other_seed = Batches(recipe.model_copy(update={"seed": 9}), load(recipe.data, None), torch.device("cpu"))
    assert not torch.equal(batches.indices(0), other_seed.indices(0))


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize(
    "family", [name for name, family in FAMILIES.items() if family.game == "synthesis" and "images" in family.kinds]
)
def test_synthesis_family_with_its_defaults_takes_a_finite_step_on_digits(family: str) -> None:
    assert all(math.isfinite(loss) for loss in advance(new_trainer(resolve(family, dataset="digits")[1]), 1))


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("side", [8, 28, 32, 64, 96])
def test_dcgan_trains_at_any_picture_side(side: int) -> None:
    recipe = small_recipe("dcgan", batch_size=4, data={"side": side}, generator={"width": 8}, critic={"width": 8})
    assert all(math.isfinite(loss) for loss in advance(new_trainer(recipe), 2))
