"""Captured steps: they give the bits of eager steps, read no freed memory, and never wait for the device.

A tape does on the CPU what a CUDA graph does on a GPU; where there is a GPU, CUDA graphs are tested too.
"""

import copy
import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch

from data.batches import Batches
from data.readers.builtin import load
from models.duel import Losses
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.recipes import SMALL_OVERRIDES
from tests.support.tape import Tape, storage_id
from tests.support.training import assert_same
from worker.training import trainer as training
from worker.training.cuda_graphs import EAGER_STEPS, CapturedSteps, Graph, graph_class, tensors_of
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

CPU = torch.device("cpu")
STEPS = 9
"""with a penalty due at every second step: at least four steps of each kind"""
NEVER_CAPTURED = {"gan", "cgan", "acgan", "wgan", "progan", "stackgan", "inpaint", "gumbel_gan"}
"""families whose steps are not captured"""
CAPTURED_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dcgan", {"schedule": {"kind": "linear", "flat": 0.2}}),
    ("dcgan", {"turns": {"prediction": True}}),
    ("dcgan", {"turns": {"order": "simultaneous"}}),
    ("dcgan", {"turns": {"order": "generator_first", "critic_steps": 2}}),
    ("dcgan", {"game": {"packing": 2, "augment": {"target": 0.6, "pace": 100}}}),
    ("dcgan", {"game": {"augment": {}}, "precision": "bf16"}),
    ("dcgan", {"penalties": [{"kind": "historical_averaging"}, {"kind": "jacobian_clamping"}]}),
    ("dcgan", {"penalties": [{"kind": "feature_matching"}], "critic_clip": 0.1}),
    ("inpaint", {"generator": {"kind": "unet", "width": 4, "depth": 2, "dropout": 0}}),
    ("srgan", {"game": {"task": "edges", "content": 1, "features_steps": 1}, "generator": {"kind": "resnet"}}),
    ("wgan_gp", {"precision": "bf16"}),
    ("cyclegan", {"precision": "bf16", "batch_size": 2}),
    ("cyclegan", {"data": {"side": 16, "load": 24, "flip": True}, "critic": {"layers": 1}}),
)


def recipe_of(family: str, changes: dict[str, Any] | None = None) -> Recipe:
    overrides = {"batch_size": 4, "precision": "fp32"} | SMALL_OVERRIDES.get(family, {}) | (changes or {})
    recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=overrides)[1]
    lazy = [p.model_copy(update={"every": 2}) if getattr(p, "every", 1) > 1 else p for p in recipe.penalties]
    return recipe.model_copy(update={"penalties": lazy})


def prepared_trainer(recipe: Recipe, graph: Callable[[], Graph] | None, device: torch.device = CPU) -> Trainer:
    apply(Numerics(device.type, "", 1, recipe.precision, "", deterministic=True))
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, recipe.precision, graph)
    for _ in trainer.prepare():
        pass
    return trainer


def state_of(trainer: Trainer) -> dict[str, Any]:
    """Return the state without the groups of the optimisers, which hold the rate as a number or as a tensor."""
    return {
        name: part.get("state", part) if "optimizer" in name else part for name, part in trainer.state_dict().items()
    }


def assert_equal_steps(trainer: Trainer, other: Trainer, steps: int) -> None:
    for _ in range(steps):
        losses = trainer.advance(), other.advance()
        assert_same(*losses)
        assert not any(loss.requires_grad for step in losses for loss in step.values()), "it would keep step graphs"
    assert_same(state_of(trainer), state_of(other))


CAPTURED: list[tuple[str, dict[str, Any]]] = [
    (family, {}) for family in FAMILIES if family not in NEVER_CAPTURED
] + list(CAPTURED_CHANGES)


@pytest.mark.slow
@pytest.mark.sampled(8)
@pytest.mark.parametrize(("family", "changes"), CAPTURED, ids=lambda value: value if isinstance(value, str) else "")
def test_captured_steps_equal_eager_steps_bit_for_bit(family: str, changes: dict[str, Any]) -> None:
    recipe, tapes = recipe_of(family, changes), list[Tape]()

    def tape() -> Tape:
        tapes.append(Tape())
        return tapes[-1]

    eager, captured = prepared_trainer(recipe, None), prepared_trainer(recipe, tape)
    assert_equal_steps(eager, captured, STEPS)
    assert_captured(captured)
    lasting = {storage_id(tensor) for tensor in lasting_tensors(captured)}
    assert all(used in lasting for tape in tapes for used in tape.inputs), "a replay would read freed memory"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use")
@pytest.mark.parametrize(("family", "changes"), CAPTURED, ids=lambda value: value if isinstance(value, str) else "")
def test_cuda_graphs_equal_eager_steps_bit_for_bit(family: str, changes: dict[str, Any]) -> None:
    recipe, gpu = recipe_of(family, changes), torch.device("cuda")
    eager, captured = prepared_trainer(recipe, None, gpu), prepared_trainer(recipe, graph_class(gpu, True), gpu)
    assert_equal_steps(eager, captured, STEPS)
    assert_captured(captured)


def assert_captured(trainer: Trainer) -> None:
    """Check that every kind of step has been captured as a graph."""
    kinds = {tuple(step % penalty.every == 0 for penalty in trainer._penalties()) for step in range(STEPS)}
    assert trainer._captured_steps is not None
    assert trainer._captured_steps._graphs.keys() == kinds, trainer._captured_steps._failure


def lasting_tensors(trainer: Trainer) -> list[torch.Tensor]:
    """Return the tensors that live as long as the trainer or its graphs."""
    assert trainer._captured_steps is not None
    batches = [
        examples
        for examples in (trainer.batches.real, trainer.batches.other, trainer.batches.label)
        if examples is not None
    ]
    draws = [draw.numbers for _, tape, _ in trainer._captured_steps._graphs.values() for draw in tape._draws]
    rates = [player.rate_tensor for player in trainer._all_players() if player.rate_tensor is not None]
    return [*tensors_of(trainer.state_dict()), *batches, *draws, *rates]


@pytest.mark.parametrize("family", sorted(NEVER_CAPTURED))
def test_families_that_no_graph_can_hold_take_eager_steps(family: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert prepared_trainer(recipe_of(family), Tape)._captured_steps is None
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("Steps go on one by one, not as CUDA graphs: ")


def test_loading_a_state_discards_the_graphs_and_captures_new_ones() -> None:
    eager, captured = (prepared_trainer(recipe_of("cdcgan"), graph) for graph in (None, Tape))
    assert_equal_steps(eager, captured, EAGER_STEPS + 2)
    half = eager.state_dict()
    fresh = prepared_trainer(recipe_of("cdcgan"), Tape)
    for trainer in (captured, fresh):
        trainer.load_state_dict(copy.deepcopy(half))
    assert captured._captured_steps is not None
    assert not captured._captured_steps._graphs
    for _ in range(STEPS - EAGER_STEPS - 2):
        assert_same(captured.advance(), fresh.advance())
    for _ in range(STEPS - EAGER_STEPS - 2):
        eager.advance()
    assert_same(state_of(captured), state_of(eager))
    assert_same(state_of(fresh), state_of(eager))


class RefusingTape(Tape):  # type: ignore[no-untyped-call]
    def capture(self, work: Callable[[], Losses]) -> Losses:
        super().capture(work)
        raise RuntimeError("operation not permitted when stream is capturing")


class WrongTape(Tape):  # type: ignore[no-untyped-call]
    def replay(self) -> None:
        super().replay()
        super().replay()


@pytest.mark.parametrize(
    ("graph", "reason"), [(RefusingTape, "not permitted"), (WrongTape, "did not leave the same bits")]
)
def test_graph_that_fails_or_differs_is_dropped_with_one_warning(
    graph: type[Tape], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    eager, captured = prepared_trainer(recipe_of("dcgan"), None), prepared_trainer(recipe_of("dcgan"), graph)
    assert_equal_steps(eager, captured, STEPS)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 1
    assert reason in lines[0]


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_capture_that_fails_at_any_operation_leaves_the_training_unchanged(share: float) -> None:
    recipe, tape = recipe_of("dcgan"), Tape()
    whole = prepared_trainer(recipe, lambda: tape)
    for _ in range(EAGER_STEPS + 1):
        whole.advance()
    last = int(share * len(tape._operations))

    class FailingTape(Tape):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, *args: Any) -> Any:
            if len(self._operations) == last:
                raise RuntimeError("operation would make the legacy stream depend on a capturing one")
            return super().__torch_dispatch__(*args)

    captured, eager = prepared_trainer(recipe, FailingTape), prepared_trainer(recipe, None)
    assert_equal_steps(eager, captured, STEPS)
    assert captured._captured_steps is not None
    assert captured._captured_steps._failure == "operation would make the legacy stream depend on a capturing one"
    assert all(weight.requires_grad for player in captured._all_players() for weight in player.network.parameters())


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: torch.tensor(2.0) * x,
        lambda x: torch.rand(3) * x,
        lambda x: x[x > 0],
    ],
    ids=["waits for a value", "copies a number to the device", "draws", "waits for a size"],
)
def test_tape_refuses_what_a_cuda_graph_refuses(work: Callable[[torch.Tensor], Any]) -> None:
    with pytest.raises(RuntimeError, match="cannot be captured"):
        Tape().capture(lambda: {"loss": work(torch.ones(3))})


def test_tape_replays_tensor_operations_but_no_python() -> None:
    sums, numbers = torch.zeros(2), list[float]()

    def work() -> Losses:
        numbers.append(float(len(numbers)))
        return {"loss": (sums.add_(1) * 2 + numbers[-1]).sum()}

    tape = Tape()
    losses = tape.capture(work)
    assert sums.tolist() == [0, 0], "a capture must leave no change"
    for times in (1, 2, 3):
        tape.replay()
        assert sums.tolist() == [times, times]
        assert losses["loss"].item() == 4 * times, "a Python number keeps its value of the capture"
    assert numbers == [0.0]


@pytest.mark.sampled(12, quick=3)
@pytest.mark.parametrize("family", FAMILIES)
def test_steps_use_one_device_and_never_wait_for_it(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The meta device refuses tensors of other devices, and has no values to read."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(training, "build_optimizer", lambda _, weights: torch.optim.Adam(weights, foreach=True))
    recipe, device = recipe_of(family), torch.device("meta")
    trainer = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in trainer.prepare():
        pass
    for _ in range(3):
        assert all(loss.device == device for loss in trainer.advance().values())
    with pytest.raises(RuntimeError):
        trainer.check_finite()
    with pytest.raises(RuntimeError):
        _ = trainer.batches.real.float() + torch.ones(len(trainer.batches.real), *trainer.batches.real.shape[1:])


def test_applying_numerics_makes_cublas_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, torch refuses matrix products under deterministic algorithms."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    apply(Numerics("cpu", "", 1, "fp32", "", deterministic=True))
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_each_kind_of_step_is_captured_as_its_own_graph() -> None:
    total, graphs = torch.zeros(()), []

    def graph() -> Tape:
        graphs.append(Tape())
        return graphs[-1]

    rng = prepared_trainer(recipe_of("dcgan"), None).rng
    adds = 0.0

    def step() -> Losses:
        return {"loss": total.add_(adds).clone()}

    captured = CapturedSteps(step, lambda: [total], rng, graph)
    for number in range(20):
        adds = 1.0 if number % 4 == 0 else 0.0
        captured.run(number % 4 == 0, number)
    assert total.item() == 5
    assert len(graphs) == 2
