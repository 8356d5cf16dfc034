"""Evaluations during training: the figures of every kind of game, the policies, and that jobs stay exact with them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from data.readers.builtin import Data, load
from models import checkpoint
from models.checkpoint import SavedCheckpoint
from models.export import export_checkpoint
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.generators import IdentityGenerator, ReplayingGenerator
from tests.support.training import RecordingListener, assert_same, run_training
from worker.evaluation import generator_under_test
from worker.evaluation.live import Inspector
from worker.training.health import LiveEvaluation, Trouble
from worker.training.listener import Finished, Stop, Stopped
from worker.training.loop import train
from worker.training.numerics import local_numerics
from worker.training.trainer import NonFinite

NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}, "latent": {"size": 8}}
DIVERGING: dict[str, Any] = {
    "generator_optimizer": {"kind": "sgd", "rate": 0.3},
    "critic_optimizer": {"kind": "sgd", "rate": 0.3},
    "objective": {"kind": "least_squares"},
    "precision": "fp32",
}
"""weights overflow within some six steps"""
COMPARISON_FIGURES = {"frechet", "density", "coverage", "recall", "diversity", "pixel_variety"}


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train judges briefly: what they learn is tested in test_judge.py."""
    monkeypatch.setattr(generator_under_test, "QUICK_STEPS", 10)


def short_recipe(family: str = "cdcgan", dataset: str | None = None, steps: int = 6, **overrides: Any) -> Recipe:
    watch = {"every": 2, "samples": 40, **overrides.pop("watch", {})}
    cadences = {"checkpoint_every": 2, "report_every": steps, "batch_size": 8}
    return resolve(
        family, dataset=dataset, seed=7, budget={"steps": steps}, overrides={**cadences, "watch": watch, **overrides}
    )[1]


def run(
    recipe: Recipe,
    folder: Path,
    listener: RecordingListener,
    judges: Path,
    resume: Path | None = None,
    **options: Any,
) -> Finished | Stopped:
    return run_training(recipe, folder, listener, resume=resume, judges=judges, **options)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(
    ("family", "dataset", "overrides", "names"),
    [
        ("cdcgan", "digits", NARROW, COMPARISON_FIGURES | {"copies", "agreement"}),
        ("dcgan", "digits", NARROW, COMPARISON_FIGURES | {"copies", "kl", "modes"}),
        ("gan", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
        ("gan", "gaussian1d", {}, {"divergence"}),
        ("gumbel_gan", None, {}, {"valid", "distinct"}),
        ("cyclegan", None, {"data": {"side": 16}}, COMPARISON_FIGURES),
        ("pix2pix", None, {"data": {"side": 16}}, {"psnr"}),
        ("inpaint", "digits", {}, {"psnr"}),
        ("vae", "digits", {}, {"psnr"}),
        ("vae", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
        ("autoencoder", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
    ],
)
def test_live_evaluation_measures_the_figures_and_the_metric_of_each_game(
    family: str, dataset: str | None, overrides: dict[str, Any], names: set[str], tmp_path: Path, judges: Path
) -> None:
    recipe, listener = short_recipe(family, dataset, 2, **overrides), RecordingListener()
    ended = run(recipe, tmp_path, listener, judges)
    (evaluation,) = listener.evaluations
    assert set(evaluation.figures) == names
    assert recipe.watch is not None
    assert recipe.watch.metric in names
    assert isinstance(ended, Finished)
    assert ended.served is not None
    assert ended.served.figures == evaluation.figures
    assert (evaluation.critic_accuracy is None) == (recipe.critic is None)


@pytest.mark.slow
@pytest.mark.parametrize("pause_at", [3, 4, 6])
def test_paused_training_with_a_watch_equals_an_uninterrupted_one(pause_at: int, tmp_path: Path, judges: Path) -> None:
    """Also if the pause comes during an evaluation, even the last one: the next attempt makes it."""
    recipe = short_recipe(**NARROW)
    whole, first, second = RecordingListener(), RecordingListener(pause_at), RecordingListener()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6]
    assert run(recipe, tmp_path / "halves", first, judges) == Stopped(Stop.PAUSE, pause_at)
    assert [evaluation.step for evaluation in first.evaluations] == [step for step in (2, 4) if step < pause_at]
    # The next attempt has no cached judge, as on another machine: it trains an equal one.
    ended_too = run(recipe, tmp_path / "halves", second, tmp_path, first.checkpoints[-1].path, attempt=2)
    assert ended_too == ended
    assert first.evaluations + second.evaluations == whole.evaluations
    assert first.bests[-1] == second.bests[0]
    assert exported(recipe, tmp_path / "whole", ended) == exported(recipe, tmp_path / "halves", ended_too)


def exported(recipe: Recipe, folder: Path, ended: Finished | Stopped) -> bytes:
    assert isinstance(ended, Finished)
    assert ended.served is not None
    export_checkpoint(recipe, checkpoint.path_of_step(folder, ended.served.best.step), folder / "export")
    return (folder / "export").read_bytes()


def test_watch_does_not_change_the_trained_weights(tmp_path: Path, judges: Path) -> None:
    watched, unwatched = RecordingListener(), RecordingListener()
    run(short_recipe(**NARROW), tmp_path / "watched", watched, judges)
    run(short_recipe(**NARROW).model_copy(update={"watch": None}), tmp_path / "plain", unwatched, judges)
    assert unwatched.evaluations == []
    assert_same(*(checkpoint.load(listener.checkpoints[-1].path)["generator"] for listener in (watched, unwatched)))


def report_serious_trouble(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Replace the search for troubles: find a serious one at the evaluations of these steps."""

    def find(history: list[LiveEvaluation], metric: str, budget: int) -> list[Trouble]:
        return [Trouble("collapse", "Reported by the test.", True)] if history and history[-1].step in steps else []

    monkeypatch.setattr("worker.training.watch.troubles", find)


def replace_distances(monkeypatch: pytest.MonkeyPatch, distances: dict[int, float]) -> None:
    """Replace the measured Fréchet distances by the given ones by step."""
    monkeypatch.setattr(Inspector, "measure", lambda self: {})

    def evaluation(step: int, figures: dict[str, float], *args: Any, **kwargs: Any) -> LiveEvaluation:
        return LiveEvaluation(step, {"frechet": distances[step]}, *args, **kwargs)

    monkeypatch.setattr("worker.training.loop.LiveEvaluation", evaluation)


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(
    ("distances", "best_step"), [({2: 3, 4: 1, 6: 5, 8: 2, 10: 4}, 4), ({2: 3, 4: 2, 6: 1, 8: 2, 10: 4}, 6)]
)
def test_roll_back_restores_the_best_weights_and_is_equal_after_a_pause(
    distances: dict[int, float], best_step: int, tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the step with the trouble is itself the best: then only the rates change."""
    report_serious_trouble(monkeypatch, 6)
    replace_distances(monkeypatch, distances)
    recipe, whole = short_recipe(steps=10, watch={"policy": "roll_back"}, **NARROW), RecordingListener()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert whole.troubles == [(6, "collapse"), (6, "rolled_back")]
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6, 8, 10]
    after_roll_back, best = (
        checkpoint.load(checkpoint.path_of_step(tmp_path / "whole", step)) for step in (6, best_step)
    )
    assert all(torch.equal(after_roll_back["critic"][name], weights) for name, weights in best["critic"].items())

    first, second = RecordingListener(stop_at=7), RecordingListener()
    run(recipe, tmp_path / "halves", first, judges)
    ended_too = run(recipe, tmp_path / "halves", second, judges, first.checkpoints[-1].path, attempt=2)
    assert ended_too == ended
    assert first.evaluations + second.evaluations == whole.evaluations


def test_damaged_best_checkpoint_is_reported_and_training_continues(
    tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_serious_trouble(monkeypatch, 6)
    replace_distances(monkeypatch, {2: 1, 4: 2, 6: 3, 8: 4})

    class DamagingListener(RecordingListener):
        def saved(self, saved: SavedCheckpoint) -> None:
            if saved.step == 2:
                saved.path.write_bytes(saved.path.read_bytes()[:1000])

    listener = DamagingListener()
    ended = run(short_recipe(steps=8, watch={"policy": "roll_back"}, **NARROW), tmp_path, listener, judges)
    assert isinstance(ended, Finished)
    assert listener.troubles == [(6, "collapse"), (6, "checkpoint_damaged")]


def test_stop_policy_ends_the_training_and_only_an_extension_continues_it(
    tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report_serious_trouble(monkeypatch, 4)
    recipe, listener = short_recipe(watch={"policy": "stop"}, **NARROW), RecordingListener()
    ended = run(recipe, tmp_path, listener, judges)
    assert isinstance(ended, Finished)
    assert ended.ending is not None
    assert (ended.step, ended.ending.code) == (4, "stopped_by_watch")
    assert [saved.step for saved in listener.checkpoints] == [0, 2, 4]
    assert run(recipe, tmp_path, RecordingListener(), judges, listener.checkpoints[-1].path) == ended
    extended_recipe = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"steps": 8})})
    extended = run(extended_recipe, tmp_path, RecordingListener(), judges, listener.checkpoints[-1].path, extended_at=4)
    assert isinstance(extended, Finished)
    assert (extended.step, extended.ending) == (8, None)


def test_non_finite_numbers_are_rolled_back_as_often_as_the_policy_allows(tmp_path: Path, judges: Path) -> None:
    warned, rolled = RecordingListener(), RecordingListener()
    with pytest.raises(NonFinite):
        run(short_recipe("gan", "ring8", 60, **DIVERGING), tmp_path / "warned", warned, judges)
    assert [kind for _, kind in warned.troubles][-1] == "non_finite"
    with pytest.raises(NonFinite):
        run(
            short_recipe(
                "gan", "ring8", 60, watch={"policy": "roll_back", "roll_backs": 2, "slower": 1.0}, **DIVERGING
            ),
            tmp_path / "rolled",
            rolled,
            judges,
        )
    kinds = [kind for _, kind in rolled.troubles if kind in ("non_finite", "rolled_back")]
    assert kinds == ["non_finite", "rolled_back"] * 2 + ["non_finite"]


def test_pause_does_not_change_when_non_finite_numbers_are_found(tmp_path: Path, judges: Path) -> None:
    recipe = short_recipe(
        "gan", "ring8", 60, watch={"policy": "roll_back", "slower": 1.0, "roll_backs": 1}, **DIVERGING
    )
    recipe = recipe.model_copy(update={"watch": recipe.watch and recipe.watch.model_copy(update={"every": 4})})
    whole, first, second = RecordingListener(), RecordingListener(stop_at=7), RecordingListener()
    with pytest.raises(NonFinite) as unbroken:
        run(recipe, tmp_path / "whole", whole, judges)
    assert run(recipe, tmp_path / "halves", first, judges) == Stopped(Stop.PAUSE, 7)
    with pytest.raises(NonFinite) as broken:
        run(recipe, tmp_path / "halves", second, judges, first.checkpoints[-1].path, attempt=2)
    assert broken.value.step == unbroken.value.step
    assert first.troubles + second.troubles == whole.troubles


@pytest.mark.parametrize(
    "pictures", [torch.zeros(40, 1, 16, 16, dtype=torch.uint8), torch.arange(5 * 256).reshape(5, 1, 16, 16).byte()]
)
def test_training_with_few_or_equal_pictures_is_evaluated(pictures: torch.Tensor, tmp_path: Path, judges: Path) -> None:
    recipe, listener = short_recipe("dcgan", "digits", 2, **NARROW), RecordingListener()
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": 0})})
    numerics = local_numerics("cpu", recipe, 1)
    data = Data(images=pictures)
    ended = train(recipe, data, listener, folder=tmp_path, attempt=1, resume=None, numerics=numerics, judges=judges)
    assert isinstance(ended, Finished)
    assert len(listener.evaluations) == 1


def test_generator_that_repeats_training_pictures_is_found_to_copy(tmp_path: Path, judges: Path) -> None:
    """The data are in the order of their classes, as in uploads."""
    recipe = short_recipe("cdcgan", "digits", 2, watch={"samples": 200})
    data = load(recipe.data, None)
    assert data.images is not None
    assert data.labels is not None
    order = data.labels.argsort(stable=True)
    data = Data(images=data.images[order], labels=data.labels[order])
    assert data.images is not None
    generator = ReplayingGenerator(data.images[torch.linspace(0, 1796, 200).long()])
    figures = Inspector(recipe, generator, data, judges).measure()
    assert figures["copies"] == 1
    assert figures["coverage"] > 0.9
    assert 0.8 < figures["pixel_variety"] < 1.2


def test_translations_are_compared_with_the_untouched_inputs_too(judges: Path) -> None:
    recipe = short_recipe("cyclegan", "day2night", 2, watch={"samples": 40})
    data = load(recipe.data, None)
    generator = torch.nn.ModuleDict({direction: IdentityGenerator() for direction in ("a2b", "b2a")})
    inspector = Inspector(recipe, generator, data, judges)
    assert inspector.untouched == inspector.measure()["frechet"]


def test_translations_of_few_pictures_are_not_compared_and_the_last_are_served(tmp_path: Path, judges: Path) -> None:
    recipe = short_recipe("cyclegan", "day2night", 6, watch={"samples": 40, "every": 2}, checkpoint_every=2)
    whole = load(recipe.data, None)
    assert whole.a is not None
    assert whole.b is not None
    data, listener = Data(a=whole.a[:40], b=whole.b[:300]), RecordingListener()
    numerics = local_numerics("cpu", recipe, threads=1)
    ended = train(recipe, data, listener, folder=tmp_path, attempt=1, resume=None, numerics=numerics, judges=judges)
    assert isinstance(ended, Finished)
    assert [evaluation.figures.keys() for evaluation in listener.evaluations] == [{"diversity", "pixel_variety"}] * 3
    assert ended.served is None
    assert listener.troubles == [], "without a metric no trouble is found"
