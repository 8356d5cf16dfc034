"""Requests to evaluate: the weights they choose, what is refused, what the job keeps and what it publishes."""

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
from forger.wire import JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.job_requests import EVALUATION
from tests.support.jobs import export_file, make_job
from tests.support.trained_jobs import succeeded_job

STORED = ("n", "features", "seed", "figures")


def evaluation_plan(**changes: Any) -> JobPlan[Evaluate]:
    return evaluate.plan(**EVALUATION | changes)


def test_model_name_means_its_newest_version(database: Path) -> None:
    first, second = succeeded_job(), succeeded_job()
    for reference, number, job in (("cdcgan-digits", 2, second), ("cdcgan-digits@1", 1, first)):
        spec = evaluation_plan(model=reference).spec
        weights = spec.weights
        assert (weights.model, weights.step, weights.job) == (f"cdcgan-digits@{number}", 20, job.id)
        assert (spec.recipe, spec.family, spec.model_name) == (job.recipe, "cdcgan", "cdcgan-digits")


@pytest.mark.parametrize(
    ("request_changes", "error", "pointer", "message"),
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
def test_invalid_evaluation_is_refused_at_its_pointer(
    database: Path, request_changes: dict[str, Any], error: type[ForgerError], pointer: str, message: str
) -> None:
    succeeded_job(), succeeded_job("gan", "ring8")
    with pytest.raises(error, match=message) as refused:
        evaluation_plan(**request_changes)
    assert [field.pointer for field in refused.value.errors] == [pointer]


def test_job_keeps_its_weights_when_model_and_source_are_deleted(database: Path) -> None:
    source = succeeded_job()
    job = lifecycle.create(evaluation_plan(model="cdcgan-digits"))
    registry.delete("cdcgan-digits")
    lifecycle.delete(source.id)
    assert (job.kind, job.state, job.spec.source_job, job.total) == ("evaluate", JobState.QUEUED, source.id, 0)
    assert isinstance(job.spec, Evaluate)
    assert (job.spec.weights.model, job.spec.weights.step) == ("cdcgan-digits@1", 20)
    assert {name: getattr(job.spec, name) for name in STORED} == {name: EVALUATION[name] for name in STORED}
    kept_file = get_settings().checkpoints(job.id) / SOURCE_FILE
    assert kept_file.read_bytes() == export_file().read_bytes()


def test_job_keeps_a_checkpoint_whose_source_is_deleted(database: Path) -> None:
    source = make_job()
    assert attempts.claim(source.id, "tests") is not None
    checkpoint = write_checkpoint(source.id, 5)
    job = lifecycle.create(evaluation_plan(checkpoint=checkpoint.id))
    attempts.fail(source.id, 1, "internal_error", "It broke.")
    lifecycle.delete(source.id)
    assert isinstance(job.spec, Evaluate)
    weights = job.spec.weights
    assert (weights.checkpoint, weights.model, weights.step) == (checkpoint.id, None, 5)
    assert (get_settings().checkpoints(job.id) / SOURCE_FILE).stat().st_size == checkpoint.size


def test_missing_weights_are_refused_without_traces(database: Path) -> None:
    succeeded_job()
    plan = evaluation_plan(model="cdcgan-digits")
    Store(get_settings().artifacts).path(plan.spec.weights.sha256).unlink()
    with pytest.raises(Conflict, match="The file of cdcgan-digits@1 is missing"):
        lifecycle.create(plan)
    assert len(lifecycle.list_jobs()[0]) == 1


def test_evaluations_and_trainings_have_separate_queues(database: Path) -> None:
    succeeded_job()
    waiting = make_job()
    evaluating = [lifecycle.create(evaluation_plan(model="cdcgan-digits")) for _ in range(2)]
    assert lifecycle.get(waiting.id).queue_position == 1
    assert [lifecycle.get(job.id).queue_position for job in evaluating] == [1, 2]


def test_evaluation_cannot_be_extended(database: Path) -> None:
    succeeded_job()
    job = lifecycle.create(evaluation_plan(model="cdcgan-digits"))
    with pytest.raises(Conflict, match="it has no steps"):
        lifecycle.extend(job.id, 5)


def test_finished_evaluation_stores_figures_in_job_and_model_card(database: Path) -> None:
    succeeded_job(), succeeded_job()
    for reference, value in (("cdcgan-digits@1", 5.0), ("cdcgan-digits@1", 4.0)):
        job = lifecycle.create(evaluation_plan(model=reference))
        assert attempts.claim(job.id, "tests") is not None
        attempts.finish_evaluation(job.id, 1, {"frechet": value, "kid": None}, {"seed": 3}, b"{}", b"png")
    done = lifecycle.get(job.id)
    assert done.state == JobState.SUCCEEDED
    assert done.result is not None
    assert (done.result.figures, done.result.provenance) == ({"frechet": 4.0, "kid": None}, {"seed": 3})
    assert (done.result.model, done.result.step) == (None, None)
    names = [(artifact.name, artifact.kind, artifact.media_type) for artifact in lifecycle.artifacts(job.id)]
    assert names == [
        ("evaluation.json", "evaluation", "application/json"),
        ("evaluation.png", "evaluation", "image/png"),
    ]
    cards = {version.version: version.card.get("evaluation") for version in registry.versions()}
    evaluation = {"job": job.id, "figures": {"frechet": 4.0, "kid": None}, "provenance": {"seed": 3}}
    assert cards == {1: evaluation, 2: None}


def test_curve_stays_on_the_card_until_the_next_one(database: Path) -> None:
    succeeded_job()
    curve = {"temperature": [{"temperature": 1.0, "precision": 0.5}], "truncation": [], "n": 500}
    jobs = []
    for requested in (curve, None):
        job = lifecycle.create(evaluation_plan(model="cdcgan-digits", curve=requested is not None))
        assert isinstance(job.spec, Evaluate)
        assert job.spec.curve is (requested is not None)
        assert attempts.claim(job.id, "tests") is not None
        attempts.finish_evaluation(job.id, 1, {"frechet": 4.0}, {"seed": 3}, b"{}", None, requested)
        jobs.append(job.id)
    card = registry.versions()[0].card
    assert card["curve"] == {"job": jobs[0], "provenance": {"seed": 3}, **curve}
    assert card["evaluation"]["job"] == jobs[1]


@pytest.mark.parametrize(("family", "dataset"), [("gan", "ring8"), ("gumbel_gan", "dyck"), ("autoencoder", "digits")])
def test_curve_of_a_model_that_draws_no_pictures_is_refused(database: Path, family: str, dataset: str) -> None:
    succeeded_job(family, dataset)
    with pytest.raises(Invalid, match="draws no pictures from noise") as refused:
        evaluation_plan(model=f"{family}-{dataset}", curve=True)
    assert [field.pointer for field in refused.value.errors] == ["/curve"]


def test_evaluation_succeeds_when_its_model_was_deleted_meanwhile(database: Path) -> None:
    succeeded_job()
    job = lifecycle.create(evaluation_plan(model="cdcgan-digits"))
    assert attempts.claim(job.id, "tests") is not None
    registry.delete("cdcgan-digits")
    attempts.finish_evaluation(job.id, 1, {"frechet": 4.0}, {}, b"{}")
    assert lifecycle.get(job.id).state == JobState.SUCCEEDED
