"""Networks that compare contents: trained on the data from the seed or read from a file, and saved with the job."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from data.readers.builtin import DatasetMissing, load
from models import checkpoint
from models.nets.rotation import RotationNet
from models.nets.vgg import Vgg19
from models.spec.recipe import Recipe
from models.spec.resolve import resolve, with_steps
from tests.support.training import RecordingListener, new_trainer, run_training
from worker.evaluation.features import WeightsMissing, all_rotations, read_vgg19, train_rotation_net
from worker.training import throughput
from worker.training.listener import Finished, Stop, Stopped
from worker.training.numerics import local_numerics


def srgan_recipe(seed: int = 3, side: int = 16, **game: Any) -> Recipe:
    overrides = {
        "data": {"side": side},
        "generator": {"width": 4, "blocks": 1},
        "critic": {"width": 4},
        "batch_size": 8,
        "game": {"features_steps": 5} | game,
        "watch": None,
    }
    return resolve("srgan", seed=seed, budget={"steps": 4}, overrides=overrides)[1]


def trained_features(recipe: Recipe) -> dict[str, Tensor]:
    """Return the weights of the network that the preparation of a training has trained."""
    trainer = new_trainer(recipe)
    assert len(list(trainer.prepare())) == 5
    state: dict[str, Tensor] = trainer.state_dict()["game"]
    return state


def equal_states(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_all_rotations_rotates_by_quarter_turns() -> None:
    x = torch.arange(8.0).view(2, 1, 2, 2)
    rotated, turns = all_rotations(x)
    assert turns.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert torch.equal(rotated[:2], x)
    assert torch.equal(rotated[4:6], x.flip(2, 3))
    assert rotated[2, 0].tolist() == [[1, 3], [0, 2]]


@pytest.mark.slow
def test_rotation_net_learns_rotations_and_its_features_have_unit_size() -> None:
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network, digits = RotationNet(1), load(resolve("srgan")[1].data, None).images
    assert digits is not None
    scaled = digits.float() / 127.5 - 1
    steps = list(train_rotation_net(network, lambda number: scaled[32 * number : 32 * number + 32], 50))
    assert len(steps) == 50
    unseen = scaled[-100:]
    rotated, turns = all_rotations(unseen)
    assert (network.rotation_logits(rotated).argmax(1) == turns).float().mean() > 0.5
    assert network(unseen).square().mean().item() == pytest.approx(1, rel=0.2)
    assert not any(weight.requires_grad for weight in network.parameters())


def test_trained_features_follow_from_the_seed() -> None:
    first = trained_features(srgan_recipe())
    torch.manual_seed(5)
    assert equal_states(first, trained_features(srgan_recipe()))
    assert not equal_states(first, trained_features(srgan_recipe(seed=4)))


def test_training_without_content_loss_needs_no_preparation() -> None:
    assert list(new_trainer(srgan_recipe(content=0)).prepare()) == []
    assert list(new_trainer(resolve("dcgan")[1]).prepare()) == []


def test_resumed_training_keeps_the_network_and_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, half, resumed = RecordingListener(), RecordingListener(stop_after_beats=5 + 3), RecordingListener()
    assert run_training(srgan_recipe(), tmp_path / "whole", whole) == Finished(4)
    assert whole.beats == [0] * 5 + [1, 1, 2, 2, 3, 3, 4, 4]
    assert run_training(srgan_recipe(), tmp_path / "half", half) == Stopped(Stop.PAUSE, 2)
    monkeypatch.setattr("worker.training.trainer.train_rotation_net", None)  # training it again would fail
    assert run_training(
        srgan_recipe(), tmp_path / "half", resumed, resume=half.checkpoints[-1].path, attempt=2
    ) == Finished(4)
    for listener in (whole, half, resumed):
        assert all(report.values["generator/content"] is not None for report in listener.reports)
    states = [checkpoint.load(listener.checkpoints[-1].path) for listener in (whole, resumed)]
    for part in ("game", "generator", "critic", "average"):
        assert equal_states(states[0][part], states[1][part])
    assert equal_states(states[0]["game"], checkpoint.load(whole.checkpoints[0].path)["game"])
    assert states[0]["game"]["features.scale"] != 1


@pytest.mark.parametrize("reason", [Stop.CANCEL, Stop.PAUSE])
def test_training_can_be_stopped_during_its_preparation(tmp_path: Path, reason: Stop) -> None:
    listener = RecordingListener(stop_after_beats=3, reason=reason)
    assert run_training(srgan_recipe(), tmp_path, listener) == Stopped(reason, 0)
    assert listener.checkpoints == []


def test_budget_in_minutes_includes_the_preparation(tmp_path: Path) -> None:
    minutes = srgan_recipe().model_copy(update={"budget": srgan_recipe().budget.model_copy(update={"minutes": 1.0})})
    assert throughput.steps_within(minutes, throughput.Throughput(1, 0, 0, preparation=20)) == 40
    beats: list[int] = []
    short = with_steps(srgan_recipe(), 1).model_copy(
        update={"budget": minutes.budget.model_copy(update={"minutes": 0.001})}
    )
    measured = throughput.measure_throughput(
        short, load(short.data, None), local_numerics("cpu", short, 1), lambda: beats.append(0), folder=tmp_path
    )
    assert measured.preparation > 0
    assert len(beats) > 5


@pytest.fixture(scope="module")
def vgg19_weights() -> dict[str, Tensor]:
    torch.manual_seed(7)
    classifier = {"classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}
    return dict(Vgg19().state_dict()) | classifier


@pytest.mark.parametrize("name", ["vgg19.safetensors", "vgg19.pth"])
def test_vgg19_is_read_from_either_file_without_its_classifier(
    tmp_path: Path, vgg19_weights: dict[str, Tensor], name: str
) -> None:
    path = tmp_path / name
    save_file(vgg19_weights, path) if name.endswith("safetensors") else torch.save(vgg19_weights, path)
    network = Vgg19()
    read_vgg19(network, tmp_path)
    assert torch.equal(network.state_dict()["features.34.weight"], vgg19_weights["features.34.weight"])


def test_refusal_of_missing_or_damaged_weights_says_where_to_put_the_file(
    tmp_path: Path, vgg19_weights: dict[str, Tensor]
) -> None:
    network = Vgg19()
    with pytest.raises(DatasetMissing, match="set FORGER_DATA to it"):
        read_vgg19(network, None)
    with pytest.raises(WeightsMissing, match=f"vgg19.safetensors or vgg19.pth, into the folder {tmp_path}"):
        read_vgg19(network, tmp_path)
    (tmp_path / "vgg19.pth").write_bytes(b"no weights")
    with pytest.raises(WeightsMissing, match=r"vgg19.pth does not hold the weights of torchvision's vgg19 \(.+\)"):
        read_vgg19(network, tmp_path)
    torch.save({"features.0.weight": vgg19_weights["features.0.weight"]}, tmp_path / "vgg19.pth")
    with pytest.raises(WeightsMissing, match=r"it has no 'features.0.bias'\). Replace it"):
        read_vgg19(network, tmp_path)


def test_training_without_the_vgg19_file_fails_before_its_first_checkpoint(tmp_path: Path) -> None:
    recipe = srgan_recipe(side=32, features="vgg19")
    listener = RecordingListener()
    with pytest.raises(DatasetMissing, match="vgg19"):
        run_training(recipe, tmp_path / "job", listener, weights=tmp_path)
    assert listener.checkpoints == []


def test_training_compares_content_with_vgg19(tmp_path: Path, vgg19_weights: dict[str, Tensor]) -> None:
    save_file(vgg19_weights, tmp_path / "vgg19.safetensors")
    recipe = srgan_recipe(side=32, features="vgg19")
    trainer = new_trainer(recipe)
    assert list(trainer.prepare(tmp_path)) == []
    assert trainer.advance()["generator/content"].item() > 0
    assert torch.equal(trainer.state_dict()["game"]["features.features.34.weight"], vgg19_weights["features.34.weight"])
