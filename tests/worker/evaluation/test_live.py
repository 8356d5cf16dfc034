"""Evaluations inside training: figures of every kind of game, and a job that stays exact with them."""

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
from worker.evaluation import generator_under_test
from worker.evaluation.live import Inspector
from worker.training.health import Evaluation, Trouble
from worker.training.listener import Finished, Quiet, Stop, Stopped
from worker.training.loop import train
from worker.training.numerics import apply, measure
from worker.training.trainer import NonFinite
from worker.training.watch import Best

NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}, "latent": {"size": 8}}
WILD: dict[str, Any] = {
    "generator_optimizer": {"kind": "sgd", "rate": 0.3},
    "critic_optimizer": {"kind": "sgd", "rate": 0.3},
    "objective": {"kind": "least_squares"},
    "precision": "fp32",
}
"""weights overflow within some six steps"""
COMPARED = {"frechet", "density", "coverage", "recall", "diversity", "pixel_variety"}


class Notes(Quiet):
    """A listener that writes down what the watch says, and pauses when told."""

    def __init__(self, pause_at: int | None = None) -> None:
        self.evaluations: list[Evaluation] = []
        self.troubles: list[tuple[int, str]] = []
        self.bests: list[Best] = []
        self.checkpoints: list[SavedCheckpoint] = []
        self.step, self.pause_at = 0, pause_at

    def beat(self, step: int) -> None:
        self.step = step

    def evaluated(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)

    def trouble(self, step: int, kind: str, message: str) -> None:
        self.troubles.append((step, kind))

    def best(self, best: Best) -> None:
        self.bests.append(best)

    def saved(self, saved: SavedCheckpoint) -> None:
        self.checkpoints.append(saved)

    def should_stop(self) -> Stop | None:
        return Stop.PAUSE if self.step and self.step == self.pause_at else None


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a judge knows is another file's affair."""
    monkeypatch.setattr(generator_under_test, "QUICK", 10)


def short(family: str = "cdcgan", dataset: str | None = None, steps: int = 6, **overrides: Any) -> Recipe:
    watch = {"every": 2, "samples": 40, **overrides.pop("watch", {})}
    cadences = {"checkpoint_every": 2, "report_every": steps, "batch_size": 8}
    return resolve(
        family, dataset=dataset, seed=7, budget={"steps": steps}, overrides={**cadences, "watch": watch, **overrides}
    )[1]


def run(
    recipe: Recipe, folder: Path, notes: Notes, judges: Path, resume: Path | None = None, **more: Any
) -> Finished | Stopped:
    numerics = measure("cpu", recipe, 1)
    apply(numerics)
    data = load(recipe.data, None)
    more = {"attempt": 1, "numerics": numerics, "judges": judges, **more}
    return train(recipe, data, notes, folder=folder, resume=resume, **more)


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(
    ("family", "dataset", "overrides", "names"),
    [
        ("cdcgan", "digits", NARROW, COMPARED | {"copies", "agreement"}),
        ("dcgan", "digits", NARROW, COMPARED | {"copies", "kl", "modes"}),
        ("gan", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
        ("gan", "gaussian1d", {}, {"divergence"}),
        ("gumbel_gan", None, {}, {"valid", "distinct"}),
        ("cyclegan", None, {"data": {"side": 16}}, COMPARED),
        ("pix2pix", None, {"data": {"side": 16}}, {"psnr"}),
        ("inpaint", "digits", {}, {"psnr"}),
        ("vae", "digits", {}, {"psnr"}),
        ("vae", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
        ("autoencoder", "ring8", {}, {"divergence", "modes", "high_quality", "reverse_kl"}),
    ],
)
def test_every_kind_of_game_is_measured_by_its_metric(
    family: str, dataset: str | None, overrides: dict[str, Any], names: set[str], tmp_path: Path, judges: Path
) -> None:
    recipe, notes = short(family, dataset, 2, **overrides), Notes()
    ended = run(recipe, tmp_path, notes, judges)
    (evaluation,) = notes.evaluations
    assert set(evaluation.figures) == names
    assert recipe.watch is not None
    assert recipe.watch.metric in names
    assert isinstance(ended, Finished)
    assert ended.served is not None
    assert ended.served.figures == evaluation.figures
    assert (evaluation.critic_accuracy is None) == (recipe.critic is None)


@pytest.mark.slow
@pytest.mark.parametrize("pause_at", [3, 4, 6])
def test_a_paused_job_with_a_watch_is_the_same_job(pause_at: int, tmp_path: Path, judges: Path) -> None:
    """Also where the pause comes amidst an evaluation, which the next attempt then makes, be it the last one."""
    recipe, whole, first, second = short(**NARROW), Notes(), Notes(pause_at), Notes()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6]
    assert run(recipe, tmp_path / "halves", first, judges) == Stopped(Stop.PAUSE, pause_at)
    assert [evaluation.step for evaluation in first.evaluations] == [step for step in (2, 4) if step < pause_at]
    # Another machine has no judge yet: the same one learns there.
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


def test_watching_does_not_change_what_is_learned(tmp_path: Path, judges: Path) -> None:
    watched, plain = Notes(), Notes()
    run(short(**NARROW), tmp_path / "watched", watched, judges)
    run(short(**NARROW).model_copy(update={"watch": None}), tmp_path / "plain", plain, judges)
    assert plain.evaluations == []
    one, other = (checkpoint.load(notes.checkpoints[-1].path) for notes in (watched, plain))
    assert all(torch.equal(one["generator"][name], weights) for name, weights in other["generator"].items())


def troubled(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    """Grave trouble at the evaluations of these steps."""

    def find(history: list[Evaluation], metric: str, budget: int) -> list[Trouble]:
        return [Trouble("collapse", "Told by the test.", True)] if history and history[-1].step in steps else []

    monkeypatch.setattr("worker.training.watch.troubles", find)


def seen_as(monkeypatch: pytest.MonkeyPatch, distances: dict[int, float]) -> None:
    """Fréchet distances by step, in place of those measured."""
    monkeypatch.setattr(Inspector, "look", lambda self: {})

    def evaluation(step: int, figures: dict[str, float], *more: Any, **named: Any) -> Evaluation:
        return Evaluation(step, {"frechet": distances[step]}, *more, **named)

    monkeypatch.setattr("worker.training.loop.Evaluation", evaluation)


@pytest.mark.sampled(quick=1)
@pytest.mark.parametrize(
    ("distances", "taken"), [({2: 3, 4: 1, 6: 5, 8: 2, 10: 4}, 4), ({2: 3, 4: 2, 6: 1, 8: 2, 10: 4}, 6)]
)
def test_a_roll_back_takes_the_best_weights_and_is_the_same_after_a_pause(
    distances: dict[int, float], taken: int, tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the trouble itself is best: then only the rates change."""
    troubled(monkeypatch, 6)
    seen_as(monkeypatch, distances)
    recipe, whole = short(steps=10, watch={"policy": "roll_back"}, **NARROW), Notes()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert whole.troubles == [(6, "collapse"), (6, "rolled_back")]
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6, 8, 10]
    now, then = (checkpoint.load(checkpoint.path_of_step(tmp_path / "whole", step)) for step in (6, taken))
    assert all(torch.equal(now["critic"][name], weights) for name, weights in then["critic"].items())

    first, second = Notes(pause_at=7), Notes()
    run(recipe, tmp_path / "halves", first, judges)
    ended_too = run(recipe, tmp_path / "halves", second, judges, first.checkpoints[-1].path, attempt=2)
    assert ended_too == ended
    assert first.evaluations + second.evaluations == whole.evaluations


def test_a_best_checkpoint_that_is_spoilt_is_told_and_training_goes_on(
    tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled(monkeypatch, 6)
    seen_as(monkeypatch, {2: 1, 4: 2, 6: 3, 8: 4})

    class Spoiling(Notes):
        def saved(self, saved: SavedCheckpoint) -> None:
            if saved.step == 2:
                saved.path.write_bytes(saved.path.read_bytes()[:1000])

    notes = Spoiling()
    ended = run(short(steps=8, watch={"policy": "roll_back"}, **NARROW), tmp_path, notes, judges)
    assert isinstance(ended, Finished)
    assert notes.troubles == [(6, "collapse"), (6, "checkpoint_damaged")]


def test_a_stop_ends_the_job_with_its_best_and_a_restart_ends_it_again(
    tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled(monkeypatch, 4)
    recipe, notes = short(watch={"policy": "stop"}, **NARROW), Notes()
    ended = run(recipe, tmp_path, notes, judges)
    assert isinstance(ended, Finished)
    assert ended.ending is not None
    assert (ended.step, ended.ending.code) == (4, "stopped_by_watch")
    assert [saved.step for saved in notes.checkpoints] == [0, 2, 4]
    assert run(recipe, tmp_path, Notes(), judges, notes.checkpoints[-1].path) == ended
    longer = recipe.model_copy(update={"budget": recipe.budget.model_copy(update={"steps": 8})})
    on = run(longer, tmp_path, Notes(), judges, notes.checkpoints[-1].path, extended_at=4)
    assert isinstance(on, Finished)
    assert (on.step, on.ending) == (8, None)


def test_numbers_that_are_not_finite_are_gone_back_on_or_end_the_job(tmp_path: Path, judges: Path) -> None:
    """Going back helps no more often than the policy allows."""
    warned, rolled = Notes(), Notes()
    with pytest.raises(NonFinite):
        run(short("gan", "ring8", 60, **WILD), tmp_path / "warned", warned, judges)
    assert [kind for _, kind in warned.troubles][-1] == "non_finite"
    with pytest.raises(NonFinite):
        run(
            short("gan", "ring8", 60, watch={"policy": "roll_back", "roll_backs": 2, "slower": 1.0}, **WILD),
            tmp_path / "rolled",
            rolled,
            judges,
        )
    kinds = [kind for _, kind in rolled.troubles if kind in ("non_finite", "rolled_back")]
    assert kinds == ["non_finite", "rolled_back"] * 2 + ["non_finite"]


def test_a_pause_before_numbers_are_found_not_to_be_finite_changes_nothing(tmp_path: Path, judges: Path) -> None:
    """They are found when it is due, after the pause as without it."""
    recipe = short("gan", "ring8", 60, watch={"policy": "roll_back", "slower": 1.0, "roll_backs": 1}, **WILD)
    recipe = recipe.model_copy(update={"watch": recipe.watch and recipe.watch.model_copy(update={"every": 4})})
    whole, first, second = Notes(), Notes(pause_at=7), Notes()
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
def test_few_or_equal_pictures_leave_figures_out_and_train(
    pictures: torch.Tensor, tmp_path: Path, judges: Path
) -> None:
    recipe, notes = short("dcgan", "digits", 2, **NARROW), Notes()
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"classes": 0})})
    numerics = measure("cpu", recipe, 1)
    data = Data(images=pictures)
    ended = train(recipe, data, notes, folder=tmp_path, attempt=1, resume=None, numerics=numerics, judges=judges)
    assert isinstance(ended, Finished)
    assert len(notes.evaluations) == 1


class ByHeart(torch.nn.Module):
    """Draws pictures uint8 [n, c, s, s] one after another."""

    def __init__(self, pictures: torch.Tensor) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))
        self.pictures, self.at = pictures, 0

    def forward(self, z: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        drawn = self.pictures[self.at : self.at + len(z)]
        self.at += len(z)
        return drawn.float() / 127.5 - 1


class Untouched(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_training_pictures_that_come_back_are_copies(tmp_path: Path, judges: Path) -> None:
    """A generator that knew the data by heart; the data in the order of their classes, as uploads are."""
    recipe = short("cdcgan", "digits", 2, watch={"samples": 200})
    data = load(recipe.data, None)
    assert data.images is not None
    assert data.labels is not None
    order = data.labels.argsort(stable=True)
    data = Data(images=data.images[order], labels=data.labels[order])
    assert data.images is not None
    generator = ByHeart(data.images[torch.linspace(0, 1796, 200).long()])
    figures = Inspector(recipe, generator, data, judges).look()
    assert figures["copies"] == 1
    assert figures["coverage"] > 0.9
    assert 0.8 < figures["pixel_variety"] < 1.2


def test_pictures_of_two_piles_are_also_held_against_the_other_pile_untouched(judges: Path) -> None:
    recipe = short("cyclegan", "day2night", 2, watch={"samples": 40})
    data = load(recipe.data, None)
    generator = torch.nn.ModuleDict({way: Untouched() for way in ("a2b", "b2a")})
    inspector = Inspector(recipe, generator, data, judges)
    assert inspector.untouched == inspector.look()["frechet"]


def test_of_few_pictures_translations_are_not_compared_and_the_last_are_served(tmp_path: Path, judges: Path) -> None:
    recipe = short("cyclegan", "day2night", 6, watch={"samples": 40, "every": 2}, checkpoint_every=2)
    whole = load(recipe.data, None)
    assert whole.a is not None
    assert whole.b is not None
    data, notes = Data(a=whole.a[:40], b=whole.b[:300]), Notes()
    numerics = measure("cpu", recipe, threads=1)
    ended = train(recipe, data, notes, folder=tmp_path, attempt=1, resume=None, numerics=numerics, judges=judges)
    assert isinstance(ended, Finished)
    assert [seen.figures.keys() for seen in notes.evaluations] == [{"diversity", "pixel_variety"}] * 3
    assert ended.served is None
    assert notes.troubles == [], "and no trouble is made up"
