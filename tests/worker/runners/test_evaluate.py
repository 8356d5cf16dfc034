"""Evaluations with real workers: beside a training, of a checkpoint, paused and cancelled, and failing."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.settings import get_settings
from app.core.store import Store
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.models.source_weights import SOURCE_FILE
from app.services.views import JobView
from forger.wire import TERMINAL, TRAIN, JobState
from tests.support.checkpoints import checkpoint_of
from tests.support.databases import sqlite_only
from tests.support.jobs import make_job
from tests.support.model_jobs import make_evaluation
from tests.support.trained_models import publish_trained
from tests.support.worker import Process, running_worker, until_state, until_step
from worker import tasks
from worker.evaluation import full, generator_under_test
from worker.runners.evaluate import null_if_not_finite
from worker.runners.main import build_runner, record_failure
from worker.runners.supervisor_link import SupervisorLink

S = JobState


def evaluation_of(job: JobView) -> dict[str, Any]:
    """Return the job's evaluation.json."""
    (artifact,) = (item for item in lifecycle.artifacts(job.id, "evaluation") if item.name == "evaluation.json")
    evaluation: dict[str, Any] = json.loads(Store(get_settings().artifacts).path(artifact.sha256).read_bytes())
    return evaluation


@sqlite_only
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_evaluation_that_runs_out_of_memory_suggests_a_smaller_n(
    database: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(full, "evaluate", fail)
    monkeypatch.setattr(SupervisorLink, "beat", lambda *_, **__: None)  # there is no supervisor
    job = make_evaluation(checkpoint=checkpoint_of("gan", "ring8"))
    assert attempts.claim(job.id, "tests") is not None
    with record_failure(job.id, 1):
        build_runner(job, 1, SupervisorLink()).run()
    reason = lifecycle.get(job.id).status_reason
    assert reason is not None
    assert (reason.code, reason.message) == ("out_of_memory", "Memory ran out: request a smaller n.")


@pytest.mark.long
@sqlite_only
def test_evaluation_runs_while_a_training_has_the_only_slot(broker: Process) -> None:
    checkpoint = checkpoint_of("gan", "ring8")
    with running_worker():
        training = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100_000)
        until_step(training.id, 1)
        waiting = make_job("gan", "ring8", steps=3)
        done = until_state(make_evaluation(checkpoint=checkpoint).id, *TERMINAL)
        assert lifecycle.get(training.id).state == S.RUNNING
        assert lifecycle.get(waiting.id).state == S.QUEUED, "an evaluation takes no training slot"
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.result is not None
    assert {"transport", "modes", "sliced_wasserstein"} <= done.result.figures.keys()
    assert done.result.provenance is not None
    assert (done.result.provenance["seed"], done.result.provenance["n_fake"]) == (3, 200)
    assert evaluation_of(done)["figures"] == done.result.figures


@pytest.mark.long
@sqlite_only
def test_evaluation_of_a_checkpoint_has_the_requested_figures_and_a_picture(broker: Process) -> None:
    small = {"generator": {"width": 4}, "critic": {"width": 4}}
    job = make_evaluation(checkpoint=checkpoint_of("cdcgan", "digits", **small), figures=["frechet", "agreement"])
    with running_worker():
        done = until_state(job.id, *TERMINAL, within_s=120)
    assert done.result is not None, done.status_reason
    assert done.result.figures.keys() == {"frechet", "agreement"}
    (picture,) = (artifact for artifact in lifecycle.artifacts(job.id) if artifact.media_type == "image/png")
    Image.open(io.BytesIO(Store(get_settings().artifacts).path(picture.sha256).read_bytes())).verify()
    assert [path.name for path in get_settings().checkpoints(job.id).iterdir()] == [SOURCE_FILE]


@sqlite_only
def test_evaluation_without_fitting_figures_or_with_damaged_weights_fails(broker: Process) -> None:
    checkpoint = checkpoint_of("gan", "ring8")
    unfitting = make_evaluation(checkpoint=checkpoint, figures=["agreement"])
    damaged = make_evaluation(checkpoint=checkpoint)
    (get_settings().checkpoints(damaged.id) / SOURCE_FILE).unlink()
    with running_worker():
        ended = [until_state(job.id, *TERMINAL) for job in (unfitting, damaged)]
    reasons = [job.status_reason for job in ended]
    assert [reason and reason.code for reason in reasons] == ["cannot_measure", "weights_damaged"]
    assert reasons[0] is not None
    assert "choose from" in reasons[0].message


@sqlite_only
def test_evaluation_can_be_paused_and_cancelled(broker: Process) -> None:
    checkpoint = checkpoint_of("cdcgan", "digits", generator={"width": 4}, critic={"width": 4})
    job = make_evaluation(checkpoint=checkpoint, n=2000)
    with running_worker():
        until_state(job.id, S.RUNNING)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
    assert lifecycle.cancel(job.id).state == S.CANCELLED
    assert lifecycle.artifacts(job.id) == []


@sqlite_only
def test_oldest_queued_job_runs_first_and_a_job_without_a_slot_is_rung_later(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever job a ring names, the oldest runs; rings that find no free slot are sent again once there is one."""
    supervised, rung = [], []
    older, newer = make_job(), make_job()

    def supervise(job_id: str, _: object) -> None:
        supervised.append(job_id)
        assert attempts.claim(job_id, "tests") is not None
        tasks_by_name["forger.train"](newer.id)
        tasks_by_name["forger.evaluate"](newer.id)

    tasks_by_name: dict[str, Any] = {}

    class App:
        def task(self, work: Any, name: str) -> None:
            tasks_by_name[name] = work

    monkeypatch.setattr(tasks, "supervise", supervise)
    monkeypatch.setattr("app.services.queue.ring", lambda job_id, kind=TRAIN: rung.append((job_id, kind)))
    tasks.register(App())
    tasks_by_name["forger.train"](newer.id)
    assert supervised == [older.id], "no evaluation is queued"
    assert rung == [(newer.id, TRAIN)]


def test_non_finite_numbers_become_null() -> None:
    value = {"a": float("nan"), "b": [float("inf"), 1.5], "c": ({"d": -1.0},), "e": "nan", "f": 3, "g": None}
    assert null_if_not_finite(value) == {"a": None, "b": [None, 1.5], "c": [{"d": -1.0}], "e": "nan", "f": 3, "g": None}


@sqlite_only
@pytest.mark.parametrize(("family", "source"), [("dcgan", "critic"), ("vae", "encoder")])
@pytest.mark.parametrize("of_checkpoint", [False, True])
def test_requested_probe_is_in_the_report_and_on_the_card(
    database: Path, family: str, source: str, of_checkpoint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SupervisorLink, "beat", lambda *_, **__: None)  # there is no supervisor
    monkeypatch.setattr(generator_under_test, "QUICK_STEPS", 20)
    monkeypatch.setattr(generator_under_test, "FULL_STEPS", 20)
    narrow: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}} if family == "dcgan" else {}
    reference, source_job = publish_trained(family, "digits", "plain", 3, watch=None, **narrow)
    (checkpoint,) = lifecycle.checkpoints(source_job)
    weights = {"checkpoint": checkpoint.id} if of_checkpoint else {"model": reference}
    job = make_evaluation(**weights, figures=["probe"])
    if not of_checkpoint:
        lifecycle.delete(source_job)  # the job's own links keep what it needs
    assert attempts.claim(job.id, "tests") is not None
    with record_failure(job.id, 1):
        build_runner(job, 1, SupervisorLink()).run()
    done = lifecycle.get(job.id)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.result is not None
    report = evaluation_of(done)
    assert report["figures"] == done.result.figures == {"probe": report["probe"]["accuracy"]["value"]}
    assert report["probe"]["source"] == source
    card = registry.find(reference).card
    assert card.get("probe") == (None if of_checkpoint else {"job": job.id, **report["probe"]})
