"""Evaluations inside training: figures of every kind of game, and a job that stays exact with them."""

from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.export import export_checkpoint
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training import judge
from worker.training.data import load
from worker.training.health import Trouble
from worker.training.loop import Best, Evaluation, Finished, NonFinite, Quiet, Saved, Stop, Stopped, train
from worker.training.numerics import apply, measure

NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}, "latent": {"size": 8}}
COMPARED = {"frechet", "density", "coverage", "recall", "diversity"}


class Notes(Quiet):
    """A listener that writes down what the watch says, and pauses when told."""

    def __init__(self, pause_at: int | None = None) -> None:
        self.evaluations: list[Evaluation] = []
        self.troubles: list[tuple[int, str]] = []
        self.bests: list[Best] = []
        self.checkpoints: list[Saved] = []
        self.step, self.pause_at = 0, pause_at

    def beat(self, step: int) -> None:
        self.step = step

    def evaluated(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)

    def trouble(self, step: int, kind: str, message: str) -> None:
        self.troubles.append((step, kind))

    def best(self, best: Best) -> None:
        self.bests.append(best)

    def saved(self, saved: Saved) -> None:
        self.checkpoints.append(saved)

    def should_stop(self) -> Stop | None:
        return Stop.PAUSE if self.step and self.step == self.pause_at else None


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("judges")


@pytest.fixture(autouse=True)
def quick_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a judge knows is another file's affair."""
    learned = judge.learned
    monkeypatch.setattr(judge, "learned", lambda data, cache, beat: learned(data, cache, 10, beat))


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


@pytest.mark.parametrize(
    ("family", "dataset", "overrides", "names"),
    [
        ("cdcgan", "digits", NARROW, COMPARED | {"copies", "variety", "agreement"}),
        ("dcgan", "digits", NARROW, COMPARED | {"copies", "variety", "kl", "modes"}),
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
    assert (evaluation.told_apart is None) == (recipe.critic is None)


def test_a_paused_job_with_a_watch_is_the_same_job(tmp_path: Path, judges: Path) -> None:
    recipe, whole, first, second = short(**NARROW), Notes(), Notes(pause_at=3), Notes()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6]
    assert run(recipe, tmp_path / "halves", first, judges) == Stopped(Stop.PAUSE, 3)
    # Another machine has no judge yet: the same one learns there.
    ended_too = run(recipe, tmp_path / "halves", second, tmp_path, first.checkpoints[-1].path, attempt=2)
    assert ended_too == ended
    assert first.evaluations + second.evaluations == whole.evaluations
    assert first.bests[-1] == second.bests[0]
    assert exported(recipe, tmp_path / "whole", ended) == exported(recipe, tmp_path / "halves", ended_too)


def exported(recipe: Recipe, folder: Path, ended: Finished | Stopped) -> bytes:
    assert isinstance(ended, Finished)
    assert ended.served is not None
    export_checkpoint(recipe, checkpoint.find(folder, ended.served.best.step), folder / "export")
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


def test_a_roll_back_takes_the_best_weights_and_is_the_same_after_a_pause(
    tmp_path: Path, judges: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled(monkeypatch, 6)
    recipe, whole = short(steps=10, watch={"policy": "roll_back", "metric": "agreement"}, **NARROW), Notes()
    ended = run(recipe, tmp_path / "whole", whole, judges)
    assert whole.troubles == [(6, "collapse"), (6, "rolled_back")]
    assert [evaluation.step for evaluation in whole.evaluations] == [2, 4, 6, 8, 10]
    best = max((best for best in whole.bests if best.step <= 6), key=lambda best: best.value)
    taken, kept = (checkpoint.load(checkpoint.find(tmp_path / "whole", step)) for step in (6, best.step))
    assert all(torch.equal(taken["critic"][name], weights) for name, weights in kept["critic"].items())

    first, second = Notes(pause_at=7), Notes()
    run(recipe, tmp_path / "halves", first, judges)
    ended_too = run(recipe, tmp_path / "halves", second, judges, first.checkpoints[-1].path, attempt=2)
    assert ended_too == ended
    assert first.evaluations + second.evaluations == whole.evaluations


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
    """At such a rate the weights overflow within six steps; going back helps no more often than the policy allows."""
    wild = {
        "generator_optimizer": {"kind": "sgd", "rate": 0.3},
        "critic_optimizer": {"kind": "sgd", "rate": 0.3},
        "objective": {"kind": "least_squares"},
        "precision": "fp32",
    }
    warned, rolled = Notes(), Notes()
    with pytest.raises(NonFinite):
        run(short("gan", "ring8", 60, **wild), tmp_path / "warned", warned, judges)
    assert [kind for _, kind in warned.troubles][-1] == "non_finite"
    with pytest.raises(NonFinite):
        run(
            short("gan", "ring8", 60, watch={"policy": "roll_back", "roll_backs": 2, "slower": 1.0}, **wild),
            tmp_path / "rolled",
            rolled,
            judges,
        )
    kinds = [kind for _, kind in rolled.troubles if kind in ("non_finite", "rolled_back")]
    assert kinds == ["non_finite", "rolled_back"] * 2 + ["non_finite"]
