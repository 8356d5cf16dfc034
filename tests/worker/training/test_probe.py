"""A probe fits the data and the game, is bounded, is the same after a resume, and changes nothing that is learned."""

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from data.toy import MIXTURES
from forger.schemas.probe import ProbeOut
from models import distributed
from models.export import export_checkpoint
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import RecipeRefused, merge, resolve
from tests.support.recipes import SMALL_OVERRIDES, TWISTS, small_recipe
from tests.support.tape import Tape
from tests.support.training import RecordingListener, assert_same, new_trainer, run_training
from tests.worker.training import test_cuda_graphs
from worker.training.listener import Finished, Stopped
from worker.training.probe import POINTS, Prober
from worker.training.probe_document import (
    BINS,
    MAX_BYTES,
    PLANE_SIDE,
    CriticScores,
    Measurements,
    PointMeasurements,
    critic_positions,
    encode,
    rounded,
)
from worker.training.trainer import Trainer

STEPS = 3


def begun(recipe: Recipe, steps: int = STEPS) -> Trainer:
    one = new_trainer(recipe)
    for _ in one.prepare():
        pass
    for _ in range(steps):
        one.advance()
    return one


def points(family: str, dataset: str, **overrides: Any) -> Trainer:
    return begun(resolve(family, dataset=dataset, seed=1, budget={"steps": 10}, overrides=overrides)[1])


def probe_of(one: Trainer) -> ProbeOut:
    return read(Prober(one).take()())


def read(content: bytes) -> ProbeOut:
    assert len(content) <= MAX_BYTES
    return ProbeOut.model_validate_json(content)


def traces(one: Trainer) -> dict[str, Any]:
    """Everything outside the weights that a probe could touch."""
    modules = [module for part in (one.game, *one.game.players.values()) for module in part.modules()]
    weights = [weight for player in one.game.players.values() for weight in player.parameters()]
    return {
        "modes": [module.training for module in modules],
        "grad": [None if weight.grad is None else weight.grad.clone() for weight in weights],
        "requires_grad": [weight.requires_grad for weight in weights],
        "random": torch.get_rng_state(),
        "accuracy": one._critic_accuracy.clone(),
    }


def assert_untouched(recipe: Recipe) -> ProbeOut:
    """Take two probes of one of two equal trainings, which must be equal; both go on alike."""
    probed, plain = begun(recipe), begun(recipe)
    before, state = traces(probed), copy.deepcopy(probed.state_dict())
    prober = Prober(probed)
    first = prober.take()()
    assert prober.take()() == first
    assert_same(traces(probed), before, "traces")
    assert_same(probed.state_dict(), state, "state")
    losses = [{name: loss.item() for name, loss in one.advance().items()} for one in (probed, plain)]
    assert losses[0] == losses[1]
    assert_same(probed.state_dict(), plain.state_dict(), "state after another step")
    return read(first)


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_probed_without_a_trace(family: str) -> None:
    recipe = small_recipe(family)
    probe = assert_untouched(recipe)
    assert probe.step == STEPS
    assert probe.gradients.generator is not None or recipe.data.kind == "sequences"
    names = {"unpaired": ["a", "b"], "reconstruction": []}.get(
        recipe.game.kind, ["a", "b"] if family == "d2gan" else [""]
    )
    assert [critic.name for critic in probe.critics] == names
    assert (probe.gradients.critic is None) == (recipe.critic is None) == (probe.critic_scale is None)
    for critic in probe.critics:
        assert sum(critic.real) == sum(critic.fake) > 0
    assert (probe.line, probe.plane) == (None, None)


@pytest.mark.sampled(8, quick=2)
@pytest.mark.parametrize("twist", TWISTS, ids=json.dumps)
def test_every_twist_is_probed_without_a_trace(twist: dict[str, Any]) -> None:
    for family in ("dcgan", "gan", "sngan", "vae", "pix2pix", "mdgan"):
        try:
            assert_untouched(small_recipe(family, **merge(SMALL_OVERRIDES.get(family, {}), twist)))
        except RecipeRefused:
            continue
        return
    raise AssertionError("No family takes it.")


def test_a_probe_in_the_plane_shows_the_landscape_the_points_and_the_grid() -> None:
    one = points("gan", "ring8")
    probe = probe_of(one)
    plane = probe.plane
    assert plane is not None
    assert (plane.x, plane.y, plane.n) == ((-1.5, 1.5), (-1.5, 1.5), PLANE_SIDE)
    assert plane.critic is not None and plane.fake is not None and plane.gradient is not None  # noqa: PT018
    assert {len(plane.real), len(plane.fake), len(plane.gradient)} == {POINTS}
    assert plane.grid is not None
    assert len({len(row) for row in plane.grid} | {len(plane.grid)}) == 1

    critic = one.game.players["critic"].eval()
    corner = critic(torch.tensor([[-1.5, -1.5], [1.5, -1.5], [-1.5, 1.5]])).score
    shown = [plane.critic[0][0], plane.critic[0][-1], plane.critic[-1][0]]
    assert shown == pytest.approx(corner.tolist(), rel=1e-3, abs=1e-3)
    # Non-saturating: the loss of a fake is softplus(-score).
    x = torch.tensor(plane.fake[0], requires_grad=True)
    (gradient,) = torch.autograd.grad(nn.functional.softplus(-critic(x[None]).score).sum(), x)
    assert plane.gradient[0] == pytest.approx((-gradient).tolist(), rel=1e-2, abs=1e-4)
    middle = one.game.players["generator"].eval()(torch.zeros(1, one.recipe.latent.size))[0]
    assert plane.grid[6][6] == pytest.approx(middle.tolist(), rel=1e-3, abs=1e-3)


def test_a_probe_on_the_line_shows_the_known_density_and_the_critic() -> None:
    one = points("gan", "gaussian1d")
    probe = probe_of(one)
    line = probe.line
    assert line is not None
    assert probe.critic_scale == "probability"
    x = np.array(line.x)
    assert len(x) == 200
    assert line.p_data == pytest.approx(MIXTURES["gaussian1d"].density(x[:, None]), rel=1e-3)
    assert np.trapezoid(line.p_data, x) == pytest.approx(1, abs=0.01)
    critic = one.game.players["critic"].eval()
    score = critic(torch.tensor(x[:, None], dtype=torch.float32)).score
    assert line.critic == pytest.approx(score.sigmoid().flatten().tolist(), rel=1e-3)
    assert line.p_g is not None
    assert len(line.p_g) == 200
    assert probe.shares is not None
    assert probe.shares.names == ["-1.5", "1.5", "none"]


@pytest.mark.parametrize("objective", ["hinge", "least_squares", "wasserstein"])
def test_a_score_that_is_no_logit_is_shown_as_it_is(objective: str) -> None:
    overrides = {"objective": {"kind": objective}, "critic_clip": 0.1}
    one = points("gan", "gaussian1d", **overrides)
    probe = probe_of(one)
    assert probe.critic_scale == "score"
    assert probe.line is not None
    assert probe.line.critic is not None
    score = one.game.players["critic"].eval()(torch.tensor([[probe.line.x[0]]])).score
    assert probe.line.critic[0] == pytest.approx(score.item(), rel=1e-3)


@pytest.mark.parametrize("overrides", [{"game": {"packing": 2}}, {"critic": {"minibatch": "discrimination"}}])
def test_a_critic_that_sees_several_at_once_has_no_landscape(overrides: dict[str, Any]) -> None:
    probe = probe_of(points("gan", "ring8", **overrides))
    assert probe.plane is not None
    assert probe.plane.critic is None
    assert probe.plane.gradient is not None
    assert len(probe.plane.gradient) == POINTS
    assert sum(probe.critics[0].fake) == POINTS // (2 if "game" in overrides else 1)


def test_points_without_a_critic_have_a_plane_without_its_parts() -> None:
    probe = probe_of(points("vae", "ring8"))
    assert probe.plane is not None
    assert (probe.plane.critic, probe.plane.gradient, probe.critics) == (None, None, [])
    assert probe.plane.fake is not None
    assert probe.plane.grid is not None


def test_shares_count_points_by_their_nearest_mode_and_those_far_from_all() -> None:
    one = points("gan", "ring8")
    modes = torch.tensor(MIXTURES["ring8"].modes, dtype=torch.float32)
    one.game.players["generator"].forward = lambda z, label=None: modes[torch.arange(len(z)) % 2 * 4]
    assert (shares := probe_of(one).shares) is not None
    assert shares.counts == [128, 0, 0, 0, 128, 0, 0, 0, 0]
    one.game.players["generator"].forward = lambda z, label=None: torch.zeros(len(z), 2)
    assert (shares := probe_of(one).shares) is not None
    assert (shares.names[0], shares.names[-1]) == ("(1, 0)", "none")
    assert shares.counts == [0] * 8 + [256]


def test_gradient_norms_are_those_of_the_losses() -> None:
    """Of a network without eval mode, on the batch that the first duel sees."""
    one = points("gan", "ring8")
    prober = Prober(one)
    probe = read(prober.take()())
    objective = one.objective
    assert objective is not None
    (duel,), _ = one.game.generator_duels(one.game.sample(prober._batch, prober._rng, 0), prober._rng)
    _, scores = one.losses.score(duel)
    for name, loss in (("critic", objective.critic_loss(scores)), ("generator", objective.generator_loss(scores))):
        found = torch.autograd.grad(loss, list(one.game.players[name].parameters()), retain_graph=True)
        norm = torch.cat([gradient.flatten() for gradient in found]).norm().item()
        assert getattr(probe.gradients, name) == pytest.approx(norm, rel=1e-3)


def test_even_the_longest_probe_is_bounded() -> None:
    recipe = resolve("gan", dataset="ring8")[1]
    long = -1.2345678e-300
    plane = PointMeasurements(
        *(np.full(shape, long) for shape in ((500, 2), PLANE_SIDE**2, (256, 2), (256, 2), (256, 2), (15, 15, 2)))
    )
    scores = np.linspace(-1e-300, 1e-300, 10_000)
    critics = [CriticScores(name, scores, scores) for name in "ab"]
    probe = read(encode(recipe, Measurements(10**8, critics, long, long, None, plane)))
    assert sum(probe.critics[1].fake) == 10_000
    labelled = resolve("cdcgan", dataset="stacked_mnist")[1]
    counts = [10**6] * 10_000
    assert read(encode(labelled, Measurements(10**8, critics, long, long, counts, None))).shares is not None


def test_numbers_that_are_not_finite_are_null_and_counted_nowhere() -> None:
    recipe = resolve("gan", dataset="ring8")[1]
    none = CriticScores("", np.array([np.nan, np.inf]), np.array([2.0, 2.0]))
    plane = PointMeasurements(None, np.full(PLANE_SIDE**2, np.nan), np.zeros((1, 2)), None, None, None)
    probe = read(encode(recipe, Measurements(1, [none], float("inf"), None, None, plane)))
    assert probe.gradients.generator is None
    assert (sum(probe.critics[0].real), sum(probe.critics[0].fake)) == (0, 2)
    assert probe.plane is not None
    assert probe.plane.critic is not None
    assert probe.plane.critic[0][0] is None


@pytest.mark.parametrize(
    ("real", "fake"), [([0.5], [0.5]), ([], []), ([1e20], [1e20]), ([1.0], [1.0000001]), ([-3.0, 1e-3], [5.0])]
)
def test_a_histogram_has_rising_edges_and_counts_all(real: list[float], fake: list[float]) -> None:
    recipe = resolve("gan", dataset="ring8")[1]
    scores = CriticScores("", np.array(real), np.array(fake))
    (critic,) = read(encode(recipe, Measurements(1, [scores], 1.0, 1.0, None, None))).critics
    assert len(critic.edges) == BINS + 1
    assert sorted(set(critic.edges)) == critic.edges
    assert (sum(critic.real), sum(critic.fake)) == (len(real), len(fake))


def test_numbers_have_four_digits() -> None:
    found = rounded(np.array([1.23456, -0.000123456, 123456.0, 0.0, np.nan, 1e300, 9.9999e-300]))
    assert found[:4].tolist() == [1.235, -0.0001235, 123500.0, 0.0]
    assert np.isnan(found[4])
    assert found[5:].tolist() == [1e300, 1e-299]


def test_positions_run_along_x_first_from_below() -> None:
    assert critic_positions("ring8")[[0, 1, PLANE_SIDE]].round(3).tolist() == [
        [-1.5, -1.5],
        [-1.403, -1.5],
        [-1.5, -1.403],
    ]


@pytest.mark.slow
def test_a_training_learns_the_same_with_and_without_probes_and_after_a_resume(tmp_path: Path) -> None:
    watched = {"every": 5, "samples": 40}
    recipe = small_recipe("cdcgan", watch=watched)
    plain = recipe.model_copy(update={"probe": False})
    judges = tmp_path / "judges"
    with_probes, without, first, second = (
        RecordingListener(),
        RecordingListener(),
        RecordingListener(stop_at=8),
        RecordingListener(),
    )
    assert isinstance(run_training(recipe, tmp_path / "with", with_probes, judges=judges), Finished)
    assert isinstance(run_training(plain, tmp_path / "without", without, judges=judges), Finished)
    assert isinstance(run_training(recipe, tmp_path / "paused", first, judges=judges), Stopped)
    resume = first.checkpoints[-1].path
    assert isinstance(run_training(recipe, tmp_path / "paused", second, 2, resume, judges=judges), Finished)

    assert [report.probe for report in without.reports] == [None] * 5
    probes = {report.step: report.probe() for report in with_probes.reports if report.probe}
    assert list(probes) == [2, 4, 6, 8, 10]
    resumed = {report.step: report.probe() for report in second.reports if report.probe}
    assert resumed == {10: probes[10]}
    assert read(probes[4]).shares is None, "no judge yet"
    shares = read(probes[6]).shares
    assert shares is not None
    assert shares.names == [str(digit) for digit in range(10)]
    assert sum(shares.counts) == recipe.batch_size

    exports = [tmp_path / "with.safetensors", tmp_path / "without.safetensors"]
    for notes, path in zip((with_probes, without), exports, strict=True):
        export_checkpoint(recipe, notes.checkpoints[-1].path, path)
    assert exports[0].read_bytes() == exports[1].read_bytes()


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize("family", ["dcgan", "sngan", "cyclegan", "wgan_gp"])
def test_captured_steps_go_on_alike_after_a_probe(family: str) -> None:
    """A tape replays what a CUDA graph would."""
    recipe = test_cuda_graphs.recipe_of(family)
    probed, plain = (test_cuda_graphs.prepared_trainer(recipe, Tape) for _ in range(2))
    prober = Prober(probed)
    for _ in range(test_cuda_graphs.STEPS):
        assert_same(probed.advance(), plain.advance())
        read(prober.take()())
    assert probed._captured_steps is not None
    assert probed._captured_steps._graphs
    assert_same(test_cuda_graphs.state_of(probed), test_cuda_graphs.state_of(plain))


def test_a_recipe_turns_probes_off_and_says_so_only_then() -> None:
    on, off = (resolve("gan", overrides=overrides)[1] for overrides in ({}, {"probe": False}))
    assert "probe" not in on.model_dump(mode="json")
    assert "probe" not in json.loads(on.model_dump_json())
    assert off.model_dump(mode="json")["probe"] is False
    assert Recipe.model_validate_json(off.model_dump_json()) == off
    assert Recipe.model_validate_json(on.model_dump_json()).probe


def test_a_probe_makes_no_collective_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As rank 0 of two: the other rank does not take part."""
    one = begun(small_recipe("minibatch"))
    alone = Prober(one).take()()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather", None)
    assert distributed.world_size() == 2
    assert Prober(one).take()() == alone
    assert distributed.world_size() == 2
