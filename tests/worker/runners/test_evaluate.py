"""Evaluating with real workers: beside a training that has the only slot, of a checkpoint, and called off."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.settings import get_settings
from app.core.store import Store
from app.services.creation import evaluate
from app.services.jobs import attempts, lifecycle
from app.services.models.source_weights import SOURCE_FILE
from app.services.views import JobView
from forger.wire import TERMINAL, TRAIN, JobState
from tests.support.checkpoints import checkpoint_of
from tests.support.jobs import make_job
from tests.support.worker import Process, running_worker, until_state, until_step
from worker import tasks
from worker.evaluation import full
from worker.runners.evaluate import null_if_not_finite
from worker.runners.main import build_runner, record_failure
from worker.runners.supervisor_link import SupervisorLink

S = JobState


once = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def ask(**how: Any) -> JobView:
    usual = {"model": None, "checkpoint": None, "n": 200, "features": "own", "seed": 3, "figures": None}
    return lifecycle.create(evaluate.plan(**usual | how))


def evaluation_of(job: JobView) -> dict[str, Any]:
    report = next(left for left in lifecycle.artifacts(job.id, "evaluation") if left.name == "evaluation.json")
    read: dict[str, Any] = json.loads(Store(get_settings().artifacts).path(report.sha256).read_bytes())
    return read


@once
@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_an_evaluation_without_memory_says_what_to_ask_for(
    database: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(full, "evaluate", fail)
    monkeypatch.setattr(SupervisorLink, "beat", lambda *_, **__: None)  # nobody listens
    job = ask(checkpoint=checkpoint_of("gan", "ring8"))
    assert attempts.claim(job.id, "tests") is not None
    with record_failure(job.id, 1):
        build_runner(job, 1, SupervisorLink()).run()
    reason = lifecycle.get(job.id).status_reason
    assert reason is not None
    assert (reason.code, reason.message) == ("out_of_memory", "Memory ran out: request a smaller n.")


@pytest.mark.long
@once
def test_an_evaluation_runs_while_a_training_has_the_only_slot(broker: Process) -> None:
    checkpoint = checkpoint_of("gan", "ring8")
    with running_worker():
        training = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100_000)
        until_step(training.id, 1)
        waiting = make_job("gan", "ring8", steps=3)
        done = until_state(ask(checkpoint=checkpoint).id, *TERMINAL)
        assert lifecycle.get(training.id).state == S.RUNNING
        assert lifecycle.get(waiting.id).state == S.QUEUED, "an evaluation's place is no slot"
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.result is not None
    assert {"transport", "modes", "sliced_wasserstein"} <= done.result.figures.keys()
    assert done.result.provenance is not None
    assert (done.result.provenance["seed"], done.result.provenance["n_fake"]) == (3, 200)
    assert evaluation_of(done)["figures"] == done.result.figures


@pytest.mark.long
@once
def test_a_checkpoint_of_pictures_is_evaluated_with_the_figures_named(broker: Process) -> None:
    small = {"generator": {"width": 4}, "critic": {"width": 4}}
    job = ask(checkpoint=checkpoint_of("cdcgan", "digits", **small), figures=["frechet", "agreement"])
    with running_worker():
        done = until_state(job.id, *TERMINAL, within_s=120)
    assert done.result is not None, done.status_reason
    assert done.result.figures.keys() == {"frechet", "agreement"}
    (picture,) = (left for left in lifecycle.artifacts(job.id) if left.media_type == "image/png")
    Image.open(io.BytesIO(Store(get_settings().artifacts).path(picture.sha256).read_bytes())).verify()
    assert [path.name for path in get_settings().checkpoints(job.id).iterdir()] == [SOURCE_FILE]


@once
def test_what_cannot_be_evaluated_fails_with_a_sentence(broker: Process) -> None:
    checkpoint = checkpoint_of("gan", "ring8")
    senseless = ask(checkpoint=checkpoint, figures=["agreement"])
    damaged = ask(checkpoint=checkpoint)
    (get_settings().checkpoints(damaged.id) / SOURCE_FILE).unlink()
    with running_worker():
        ended = [until_state(job.id, *TERMINAL) for job in (senseless, damaged)]
    reasons = [job.status_reason for job in ended]
    assert [reason and reason.code for reason in reasons] == ["cannot_measure", "weights_damaged"]
    assert reasons[0] is not None
    assert "choose from" in reasons[0].message


@once
def test_an_evaluation_can_be_paused_and_cancelled(broker: Process) -> None:
    checkpoint = checkpoint_of("cdcgan", "digits", generator={"width": 4}, critic={"width": 4})
    job = ask(checkpoint=checkpoint, n=2000)
    with running_worker():
        until_state(job.id, S.RUNNING)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
    assert lifecycle.cancel(job.id).state == S.CANCELLED
    assert lifecycle.artifacts(job.id) == []


@once
def test_whoever_has_waited_longest_is_let_in(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever rings. Who comes while the place is taken is sent away, and rung for once it is free."""
    seen, rung = [], []
    older, newer = make_job(), make_job()

    def supervise(job_id: str, _: object) -> None:
        seen.append(job_id)
        assert attempts.claim(job_id, "tests") is not None
        doors["forger.train"](newer.id)
        doors["forger.evaluate"](newer.id)

    doors: dict[str, Any] = {}

    class App:
        def task(self, work: Any, name: str) -> None:
            doors[name] = work

    monkeypatch.setattr(tasks, "supervise", supervise)
    monkeypatch.setattr("app.services.queue.ring", lambda job_id, kind=TRAIN: rung.append((job_id, kind)))
    tasks.register(App())
    doors["forger.train"](newer.id)
    assert seen == [older.id], "no evaluation waits"
    assert rung == [(newer.id, TRAIN)]


def test_what_was_not_finite_is_null() -> None:
    value = {"a": float("nan"), "b": [float("inf"), 1.5], "c": ({"d": -1.0},), "e": "nan", "f": 3, "g": None}
    assert null_if_not_finite(value) == {"a": None, "b": [None, 1.5], "c": [{"d": -1.0}], "e": "nan", "f": 3, "g": None}
