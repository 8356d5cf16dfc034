"""Requests to evaluate: which weights are meant, what is refused, and what the job keeps and leaves."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, ForgerError, Invalid, NotFound
from app.core.settings import get_settings
from app.core.store import Store
from app.services.creation import evaluate
from app.services.job_spec import Evaluate, JobPlan
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.models.source_weights import SOURCE_FILE
from app.services.views import JobView
from forger.wire import JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import export_file, make_job, put_in

HOW: dict[str, Any] = {"model": None, "checkpoint": None, "n": 500, "features": "own", "seed": 3, "figures": None}
ASKED = ("n", "features", "seed", "figures")


def plan(**asked: Any) -> JobPlan[Evaluate]:
    return evaluate.plan(**HOW | asked)


def trained(family: str = "cdcgan", dataset: str = "digits") -> JobView:
    job = make_job(family, dataset)
    put_in(JobState.SUCCEEDED, job.id)
    return lifecycle.get(job.id)


def test_a_name_means_its_newest_version(database: Path) -> None:
    first, second = trained(), trained()
    for reference, number, job in (("cdcgan-digits", 2, second), ("cdcgan-digits@1", 1, first)):
        spec = plan(model=reference).spec
        weights = spec.weights
        assert (weights.model, weights.step, weights.job) == (f"cdcgan-digits@{number}", 20, job.id)
        assert (spec.recipe, spec.family, spec.model_name) == (job.recipe, "cdcgan", "cdcgan-digits")


@pytest.mark.parametrize(
    ("asked", "error", "pointer", "said"),
    [
        ({}, Invalid, "/model", "Name either a model or a checkpoint."),
        ({"model": "cdcgan-digits", "checkpoint": "ckpt_1"}, Invalid, "/model", "either a model or a checkpoint"),
        ({"model": "nobody"}, NotFound, "/model", "There is no model 'nobody'."),
        ({"model": "cdcgan-digits@7"}, NotFound, "/model", "There is no version '7' of 'cdcgan-digits'."),
        ({"checkpoint": "ckpt_1"}, NotFound, "/checkpoint", "There is no checkpoint 'ckpt_1'."),
        (
            {"model": "cdcgan-digits", "figures": ["kid", "beauty"]},
            Invalid,
            "/figures/1",
            "There is no figure 'beauty'",
        ),
        ({"model": "gan-ring8", "features": "inception"}, Invalid, "/features", "this model makes points"),
    ],
)
def test_what_is_refused_is_pointed_at(
    database: Path, asked: dict[str, Any], error: type[ForgerError], pointer: str, said: str
) -> None:
    trained(), trained("gan", "ring8")
    with pytest.raises(error, match=said) as refused:
        plan(**asked)
    assert [field.pointer for field in refused.value.errors] == [pointer]


def test_the_job_keeps_the_weights_whatever_becomes_of_the_model(database: Path) -> None:
    source = trained()
    job = lifecycle.create(plan(model="cdcgan-digits"))
    registry.delete("cdcgan-digits")
    lifecycle.delete(source.id)
    assert (job.kind, job.state, job.spec.source_job, job.total) == ("evaluate", JobState.QUEUED, source.id, 0)
    assert isinstance(job.spec, Evaluate)
    assert (job.spec.weights.model, job.spec.weights.step) == ("cdcgan-digits@1", 20)
    assert {name: getattr(job.spec, name) for name in ASKED} == {name: HOW[name] for name in ASKED}
    held = get_settings().checkpoints(job.id) / SOURCE_FILE
    assert held.read_bytes() == export_file().read_bytes()


def test_a_checkpoint_is_kept_though_its_job_drops_it(database: Path) -> None:
    source = make_job()
    assert attempts.claim(source.id, "tests") is not None
    checkpoint = write_checkpoint(source.id, 5)
    job = lifecycle.create(plan(checkpoint=checkpoint.id))
    attempts.fail(source.id, 1, "internal_error", "It broke.")
    lifecycle.delete(source.id)
    assert isinstance(job.spec, Evaluate)
    weights = job.spec.weights
    assert (weights.checkpoint, weights.model, weights.step) == (checkpoint.id, None, 5)
    assert (get_settings().checkpoints(job.id) / SOURCE_FILE).stat().st_size == checkpoint.size


def test_damaged_weights_are_refused_and_leave_nothing(database: Path) -> None:
    trained()
    made = plan(model="cdcgan-digits")
    Store(get_settings().artifacts).path(made.spec.weights.sha256).unlink()
    with pytest.raises(Conflict, match="The file of cdcgan-digits@1 is missing"):
        lifecycle.create(made)
    assert len(lifecycle.list_jobs()[0]) == 1


def test_a_kind_has_a_queue_of_its_own(database: Path) -> None:
    trained()
    waiting = make_job()
    evaluating = [lifecycle.create(plan(model="cdcgan-digits")) for _ in range(2)]
    assert lifecycle.get(waiting.id).queue_position == 1
    assert [lifecycle.get(job.id).queue_position for job in evaluating] == [1, 2]


def test_an_evaluation_cannot_be_extended(database: Path) -> None:
    trained()
    job = lifecycle.create(plan(model="cdcgan-digits"))
    with pytest.raises(Conflict, match="it has no steps"):
        lifecycle.extend(job.id, 5)


def test_figures_end_the_job_and_come_onto_the_card(database: Path) -> None:
    trained(), trained()
    for reference, value in (("cdcgan-digits@1", 5.0), ("cdcgan-digits@1", 4.0)):
        job = lifecycle.create(plan(model=reference))
        assert attempts.claim(job.id, "tests") is not None
        attempts.finish_evaluation(job.id, 1, {"frechet": value, "kid": None}, {"seed": 3}, b"{}", b"png")
    done = lifecycle.get(job.id)
    assert done.state == JobState.SUCCEEDED
    assert done.result is not None
    assert (done.result.figures, done.result.provenance) == ({"frechet": 4.0, "kid": None}, {"seed": 3})
    assert (done.result.model, done.result.step) == (None, None)
    names = [(left.name, left.kind, left.media_type) for left in lifecycle.artifacts(job.id)]
    assert names == [
        ("evaluation.json", "evaluation", "application/json"),
        ("evaluation.png", "evaluation", "image/png"),
    ]
    cards = {version.version: version.card.get("evaluation") for version in registry.versions()}
    told = {"job": job.id, "figures": {"frechet": 4.0, "kid": None}, "provenance": {"seed": 3}}
    assert cards == {1: told, 2: None}


def test_figures_of_a_model_that_was_withdrawn_meanwhile_stay_with_the_job(database: Path) -> None:
    trained()
    job = lifecycle.create(plan(model="cdcgan-digits"))
    assert attempts.claim(job.id, "tests") is not None
    registry.delete("cdcgan-digits")
    attempts.finish_evaluation(job.id, 1, {"frechet": 4.0}, {}, b"{}")
    assert lifecycle.get(job.id).state == JobState.SUCCEEDED
