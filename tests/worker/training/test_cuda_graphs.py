"""Captured steps: the bits of those made by hand, nothing forgotten, nothing that waits for the device.

A tape does on the CPU what a CUDA graph would; where there is a GPU, CUDA graphs are tried too.
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
from tests.support.tape import Tape, memory
from tests.worker.training.test_exactness import SMALL, assert_same
from worker.training import trainer as training
from worker.training.cuda_graphs import BY_HAND, Captured, Graph, graph_on, tensors_of
from worker.training.numerics import Numerics, apply
from worker.training.trainer import Trainer

CPU = torch.device("cpu")
STEPS = 9
"""with a penalty due at every second step, four of each kind at least"""
BY_HAND_ALONE = {"gan", "cgan", "acgan", "wgan", "progan", "stackgan", "inpaint", "gumbel_gan"}
"""families whose steps are not captured"""
TWISTS: tuple[tuple[str, dict[str, Any]], ...] = (
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
    overrides = {"batch_size": 4, "precision": "fp32"} | SMALL.get(family, {}) | (changes or {})
    recipe = resolve(family, seed=1, budget={"steps": STEPS}, overrides=overrides)[1]
    lazy = [p.model_copy(update={"every": 2}) if getattr(p, "every", 1) > 1 else p for p in recipe.penalties]
    return recipe.model_copy(update={"penalties": lazy})


def trainer(recipe: Recipe, graph: Callable[[], Graph] | None, device: torch.device = CPU) -> Trainer:
    apply(Numerics(device.type, "", 1, recipe.precision, "", deterministic=True))
    made = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, recipe.precision, graph)
    for _ in made.prepare():
        pass
    return made


def state_of(one: Trainer) -> dict[str, Any]:
    """All but how an optimiser is told its rate."""
    return {name: part.get("state", part) if "optimizer" in name else part for name, part in one.state_dict().items()}


def assert_alike(one: Trainer, other: Trainer, steps: int) -> None:
    for _ in range(steps):
        losses = one.advance(), other.advance()
        assert_same(*losses)
        assert not any(loss.requires_grad for each in losses for loss in each.values()), "would tie a step to the next"
    assert_same(state_of(one), state_of(other))


CAPTURED: list[tuple[str, dict[str, Any]]] = [
    (family, {}) for family in FAMILIES if family not in BY_HAND_ALONE
] + list(TWISTS)


@pytest.mark.slow
@pytest.mark.sampled(8)
@pytest.mark.parametrize(("family", "changes"), CAPTURED, ids=lambda value: value if isinstance(value, str) else "")
def test_captured_steps_leave_the_bits_of_those_made_by_hand(family: str, changes: dict[str, Any]) -> None:
    recipe, tapes = recipe_of(family, changes), list[Tape]()

    def tape() -> Tape:
        tapes.append(Tape())
        return tapes[-1]

    by_hand, captured = trainer(recipe, None), trainer(recipe, tape)
    assert_alike(by_hand, captured, STEPS)
    assert_captured(captured)
    lasting = {memory(tensor) for tensor in lasting_tensors(captured)}
    assert all(used in lasting for tape in tapes for used in tape.found), "a replay would read what nobody keeps"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU that torch can use")
@pytest.mark.parametrize(("family", "changes"), CAPTURED, ids=lambda value: value if isinstance(value, str) else "")
def test_cuda_graphs_leave_the_bits_of_steps_made_by_hand(family: str, changes: dict[str, Any]) -> None:
    recipe, gpu = recipe_of(family, changes), torch.device("cuda")
    by_hand, captured = trainer(recipe, None, gpu), trainer(recipe, graph_on(gpu, True), gpu)
    assert_alike(by_hand, captured, STEPS)
    assert_captured(captured)


def assert_captured(one: Trainer) -> None:
    """Every kind of step is a graph by now."""
    kinds = {tuple(step % penalty.every == 0 for penalty in one._penalties()) for step in range(STEPS)}
    assert one._captured is not None
    assert one._captured._kept.keys() == kinds, one._captured._reason


def lasting_tensors(one: Trainer) -> list[torch.Tensor]:
    """What lives as long as the trainer, or as its graphs."""
    assert one._captured is not None
    batches = [pile for pile in (one.batches.real, one.batches.other, one.batches.label) if pile is not None]
    lines = [line.numbers for _, script, _ in one._captured._kept.values() for line in script._draws]
    dials = [player.dial for player in one._movers() if player.dial is not None]
    return [*tensors_of(one.state_dict()), *batches, *lines, *dials]


@pytest.mark.parametrize("family", sorted(BY_HAND_ALONE))
def test_steps_that_no_graph_can_hold_are_made_by_hand(family: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert trainer(recipe_of(family), Tape)._captured is None
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("Steps go on one by one, not as CUDA graphs: ")


def test_weights_that_are_loaded_are_trained_on_by_new_graphs() -> None:
    by_hand, captured = (trainer(recipe_of("cdcgan"), graph) for graph in (None, Tape))
    assert_alike(by_hand, captured, BY_HAND + 2)
    half = by_hand.state_dict()
    fresh = trainer(recipe_of("cdcgan"), Tape)
    for one in (captured, fresh):
        one.load_state_dict(copy.deepcopy(half))
    assert captured._captured is not None
    assert not captured._captured._kept
    for _ in range(STEPS - BY_HAND - 2):
        assert_same(captured.advance(), fresh.advance())
    for _ in range(STEPS - BY_HAND - 2):
        by_hand.advance()
    assert_same(state_of(captured), state_of(by_hand))
    assert_same(state_of(fresh), state_of(by_hand))


class Refusing(Tape):  # type: ignore[no-untyped-call]
    def capture(self, work: Callable[[], Losses]) -> Losses:
        super().capture(work)
        raise RuntimeError("operation not permitted when stream is capturing")


class Wrong(Tape):  # type: ignore[no-untyped-call]
    def replay(self) -> None:
        super().replay()
        super().replay()


@pytest.mark.parametrize(("graph", "reason"), [(Refusing, "not permitted"), (Wrong, "did not leave the bits")])
def test_a_graph_that_cannot_be_made_or_differs_is_dropped_with_one_line(
    graph: type[Tape], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand, captured = trainer(recipe_of("dcgan"), None), trainer(recipe_of("dcgan"), graph)
    assert_alike(by_hand, captured, STEPS)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(lines) == 1
    assert reason in lines[0]


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.99])
def test_a_capture_that_fails_anywhere_leaves_nothing_behind(share: float) -> None:
    recipe, tape = recipe_of("dcgan"), Tape()
    whole = trainer(recipe, lambda: tape)
    for _ in range(BY_HAND + 1):
        whole.advance()
    last = int(share * len(tape._done))

    class Stopping(Tape):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, *args: Any) -> Any:
            if len(self._done) == last:
                raise RuntimeError("operation would make the legacy stream depend on a capturing one")
            return super().__torch_dispatch__(*args)

    captured, by_hand = trainer(recipe, Stopping), trainer(recipe, None)
    assert_alike(by_hand, captured, STEPS)
    assert captured._captured is not None
    assert captured._captured._reason == "operation would make the legacy stream depend on a capturing one"
    assert all(weight.requires_grad for player in captured._movers() for weight in player.network.parameters())


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: torch.tensor(2.0) * x,
        lambda x: torch.rand(3) * x,
        lambda x: x[x > 0],
    ],
    ids=["waits", "brings", "draws", "waits for a size"],
)
def test_the_tape_is_as_strict_as_a_graph(work: Callable[[torch.Tensor], Any]) -> None:
    with pytest.raises(RuntimeError, match="cannot be captured"):
        Tape().capture(lambda: {"loss": work(torch.ones(3))})


def test_the_tape_does_again_what_was_done_and_nothing_else() -> None:
    sums, seen = torch.zeros(2), list[float]()

    def work() -> Losses:
        seen.append(float(len(seen)))
        return {"loss": (sums.add_(1) * 2 + seen[-1]).sum()}

    tape = Tape()
    losses = tape.capture(work)
    assert sums.tolist() == [0, 0], "capturing does not do it"
    for times in (1, 2, 3):
        tape.replay()
        assert sums.tolist() == [times, times]
        assert losses["loss"].item() == 4 * times, "Python's number is that of the capture"
    assert seen == [0.0]


@pytest.mark.sampled(12, quick=3)
@pytest.mark.parametrize("family", FAMILIES)
def test_steps_touch_one_device_and_do_not_wait_for_it(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's device without numbers refuses tensors from elsewhere, and has none to tell."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(training, "optimizer", lambda _, weights: torch.optim.Adam(weights, foreach=True))
    recipe, device = recipe_of(family), torch.device("meta")
    one = Trainer(recipe, Batches(recipe, load(recipe.data, None), device), device, "fp32")
    for _ in one.prepare():
        pass
    for _ in range(3):
        assert all(loss.device == device for loss in one.advance().values())
    with pytest.raises(RuntimeError):
        one.check()
    with pytest.raises(RuntimeError):
        _ = one.batches.real.float() + torch.ones(len(one.batches.real), *one.batches.real.shape[1:])


def test_products_on_a_gpu_are_told_to_be_deterministic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable torch refuses them, once algorithms are to be."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    apply(Numerics("cpu", "", 1, "fp32", "", deterministic=True))
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_kinds_of_steps_have_graphs_of_their_own() -> None:
    total, made = torch.zeros(()), []

    def graph() -> Tape:
        made.append(Tape())
        return made[-1]

    rng = trainer(recipe_of("dcgan"), None).rng
    adds = 0.0

    def moves() -> Losses:
        return {"loss": total.add_(adds).clone()}

    captured = Captured(moves, lambda: [total], rng, graph)
    for number in range(20):
        adds = 1.0 if number % 4 == 0 else 0.0
        captured.run(number % 4 == 0, number)
    assert total.item() == 5
    assert len(made) == 2
