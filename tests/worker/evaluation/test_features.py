"""The networks that compare contents: learned on the data from the seed, or read from a file; then kept."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from data.batches import Batches
from data.readers.builtin import DatasetMissing, load
from models import checkpoint
from models.checkpoint import SavedCheckpoint
from models.nets.rotation import RotationNet
from models.nets.vgg import Vgg19
from models.spec.recipe import Recipe
from models.spec.resolve import resolve, with_steps
from tests.worker.training.test_exactness import run
from worker.evaluation.features import WeightsMissing, all_rotations, read_vgg19, train_rotation_net
from worker.training import throughput
from worker.training.listener import Finished, NullListener, StepReport, Stop, Stopped
from worker.training.numerics import apply, local_numerics
from worker.training.trainer import Trainer

CPU = torch.device("cpu")


def small(seed: int = 3, side: int = 16, **game: Any) -> Recipe:
    overrides = {
        "data": {"side": side},
        "generator": {"width": 4, "blocks": 1},
        "critic": {"width": 4},
        "batch_size": 8,
        "game": {"features_steps": 5} | game,
        "watch": None,
    }
    return resolve("srgan", seed=seed, budget={"steps": 4}, overrides=overrides)[1]


def trainer(recipe: Recipe) -> Trainer:
    numerics = local_numerics("cpu", recipe, 1)
    apply(numerics)
    return Trainer(recipe, Batches(recipe, load(recipe.data, None), CPU), CPU, numerics.precision)


def learned(recipe: Recipe) -> dict[str, Tensor]:
    one = trainer(recipe)
    assert len(list(one.prepare())) == 5
    state: dict[str, Tensor] = one.state_dict()["game"]
    return state


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_turns_are_turns() -> None:
    x = torch.arange(8.0).view(2, 1, 2, 2)
    turned, turns = all_rotations(x)
    assert turns.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(turned[:2], x)
    assert torch.equal(turned[4:6], x.flip(2, 3))
    assert turned[2, 0].tolist() == [[1, 3], [0, 2]]


@pytest.mark.slow
def test_how_digits_are_turned_is_learned_and_features_get_a_size_of_one() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network, digits = RotationNet(1), load(resolve("srgan")[1].data, None).images
    assert digits is not None
    scaled = digits.float() / 127.5 - 1
    steps = list(train_rotation_net(network, lambda number: scaled[32 * number : 32 * number + 32], 50))
    assert len(steps) == 50
    unseen = scaled[-100:]
    turned, turns = all_rotations(unseen)
    assert (network.rotation_logits(turned).argmax(1) == turns).float().mean() > 0.5
    assert network(unseen).square().mean().item() == pytest.approx(1, rel=0.2)
    assert not any(weight.requires_grad for weight in network.parameters())


def test_what_is_learned_follows_from_the_seed() -> None:
    first = learned(small())
    torch.manual_seed(5)
    assert same(first, learned(small()))
    assert not same(first, learned(small(seed=4)))


def test_nothing_is_prepared_where_nothing_is_compared() -> None:
    assert list(trainer(small(content=0)).prepare()) == []
    assert list(trainer(resolve("dcgan")[1]).prepare()) == []


class Notes(NullListener):
    """A listener that keeps checkpoints and can stop before the first step."""

    def __init__(self, beats: int = 10**9, why: Stop = Stop.PAUSE) -> None:
        self.checkpoints: list[SavedCheckpoint] = []
        self.beats: list[int] = []
        self.left, self.why = beats, why

    def beat(self, step: int) -> None:
        self.beats.append(step)
        self.left -= 1

    def report(self, report: StepReport) -> None:
        assert report.values["generator/content"] is not None

    def saved(self, saved: SavedCheckpoint) -> None:
        self.checkpoints.append(saved)

    def should_stop(self) -> Stop | None:
        return self.why if self.left <= 0 else None


def test_a_resumed_job_has_the_network_and_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, half, rest = Notes(), Notes(beats=5 + 3), Notes()
    assert run(small(), tmp_path / "whole", whole) == Finished(4)
    assert whole.beats == [0] * 5 + [1, 1, 2, 2, 3, 3, 4, 4]
    assert run(small(), tmp_path / "half", half) == Stopped(Stop.PAUSE, 2)
    monkeypatch.setattr("worker.training.trainer.train_rotation_net", None)  # it would fail if it were learned again
    assert run(small(), tmp_path / "half", rest, resume=half.checkpoints[-1].path, attempt=2) == Finished(4)
    states = [checkpoint.load(notes.checkpoints[-1].path) for notes in (whole, rest)]
    for part in ("game", "generator", "critic", "average"):
        assert same(states[0][part], states[1][part])
    assert same(states[0]["game"], checkpoint.load(whole.checkpoints[0].path)["game"])
    assert states[0]["game"]["features.scale"] != 1


@pytest.mark.parametrize("why", [Stop.CANCEL, Stop.PAUSE])
def test_a_job_can_be_stopped_while_it_prepares(tmp_path: Path, why: Stop) -> None:
    notes = Notes(beats=3, why=why)
    assert run(small(), tmp_path, notes) == Stopped(why, 0)
    assert notes.checkpoints == []


def test_minutes_hold_the_preparation_too(tmp_path: Path) -> None:
    minutes = small().model_copy(update={"budget": small().budget.model_copy(update={"minutes": 1.0})})
    assert throughput.steps_within(minutes, throughput.Throughput(1, 0, 0, preparation=20)) == 40
    beats: list[int] = []
    short = with_steps(small(), 1).model_copy(update={"budget": minutes.budget.model_copy(update={"minutes": 0.001})})
    measured = throughput.measure_throughput(
        short, load(short.data, None), local_numerics("cpu", short, 1), lambda: beats.append(0), folder=tmp_path
    )
    assert measured.preparation > 0
    assert len(beats) > 5


# ---- VGG19


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(7)
    classifier = {"classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}
    return dict(Vgg19().state_dict()) | classifier


@pytest.mark.parametrize("name", ["vgg19.safetensors", "vgg19.pth"])
def test_vgg19_is_read_from_either_file_without_its_classifier(
    tmp_path: Path, weights: dict[str, Tensor], name: str
) -> None:
    path = tmp_path / name
    save_file(weights, path) if name.endswith("safetensors") else torch.save(weights, path)
    network = Vgg19()
    read_vgg19(network, tmp_path)
    assert torch.equal(network.state_dict()["features.34.weight"], weights["features.34.weight"])


def test_missing_and_damaged_weights_are_told_where_to_go(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    network = Vgg19()
    with pytest.raises(DatasetMissing, match="set FORGER_DATA to it"):
        read_vgg19(network, None)
    with pytest.raises(WeightsMissing, match=f"vgg19.safetensors or vgg19.pth, into the folder {tmp_path}"):
        read_vgg19(network, tmp_path)
    (tmp_path / "vgg19.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsMissing, match=r"vgg19.pth does not hold the weights of torchvision's vgg19 \(.+\)"):
        read_vgg19(network, tmp_path)
    torch.save({"features.0.weight": weights["features.0.weight"]}, tmp_path / "vgg19.pth")
    with pytest.raises(WeightsMissing, match=r"it has no 'features.0.bias'\). Replace it"):
        read_vgg19(network, tmp_path)


def test_a_job_without_the_file_fails_before_its_first_checkpoint(tmp_path: Path) -> None:
    recipe = small(side=32, features="vgg19")
    notes = Notes()
    with pytest.raises(DatasetMissing, match="vgg19"):
        run(recipe, tmp_path / "job", notes, weights=tmp_path)
    assert notes.checkpoints == []


def test_a_job_compares_by_vgg19(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    save_file(weights, tmp_path / "vgg19.safetensors")
    recipe = small(side=32, features="vgg19")
    one = trainer(recipe)
    assert list(one.prepare(tmp_path)) == []
    assert one.advance()["generator/content"].item() > 0
    assert torch.equal(one.state_dict()["game"]["features.features.34.weight"], weights["features.34.weight"])
