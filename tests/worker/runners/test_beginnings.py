"""How a job begins, with real workers: a budget to measure, another job's weights; and what is published of it."""

import psutil
import pytest

from app.core.settings import get_settings
from app.services.creation import train
from app.services.inference.service import Inference
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.views import EventView, JobView
from forger.wire import TERMINAL, JobState
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import make_job
from tests.support.worker import Process, running_worker, until_state, until_step


def create(recipe: Recipe) -> JobView:
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


def told(job_id: str, type_: str) -> list[EventView]:
    return [event for event in lifecycle.events(job_id, limit=10_000) if event.type == type_]


def kill_runner(worker: Process) -> None:
    children = psutil.Process(worker.pid).children()
    next(child for child in children if "worker.runners.main" in child.cmdline()).kill()


def finished(job: JobView) -> JobView:
    done = until_state(job.id, *TERMINAL)
    assert done.state == JobState.SUCCEEDED, done.status_reason
    return done


def export_of(job: JobView) -> str:
    assert job.result is not None
    assert job.result.export_sha256 is not None
    return job.result.export_sha256


@pytest.mark.long
def test_minutes_are_measured_once_and_the_job_is_then_the_one_of_its_steps(broker: Process) -> None:
    timed = create(resolve("gan", dataset="ring8", seed=5, budget={"minutes": 0.03})[1])
    assert timed.total == 0
    with running_worker() as worker:
        until_step(timed.id, 1)
        kill_runner(worker)
        done = finished(timed)
        assert done.attempt == 2
        (event,) = told(timed.id, "budget")
        steps = event.data["steps"]
        assert event.data["message"].startswith(f"At the pace measured here 0.03 minutes are {steps} steps;")
        assert (done.step, done.total, done.recipe.budget.steps) == (steps, steps, steps)
        assert done.recipe == resolve("gan", dataset="ring8", seed=5, budget={"steps": steps})[1]
        assert registry.versions()[0].recipe == done.recipe
        given = finished(create(done.recipe))
    assert told(given.id, "budget") == []
    assert export_of(given) == export_of(done)


def test_the_last_checkpoint_published_here_is_the_jobs_own_export(broker: Process) -> None:
    job = make_job(steps=12, checkpoint_every=5, report_every=12)
    with running_worker():
        own = export_of(finished(job))
    inference = Inference(get_settings())
    inference.start()
    try:
        last, before = lifecycle.checkpoints(job.id)[:2]
        assert registry.publish("copy", last.id, inference.export).export_sha256 == own
        assert registry.publish("early", before.id, inference.export).export_sha256 != own
    finally:
        inference.stop()


def start() -> tuple[str, str]:
    """A checkpoint and its job, which has another seed and has ended."""
    source = create(resolve("gan", dataset="digits", seed=9)[1])
    assert attempts.claim(source.id, "tests") is not None
    checkpoint = write_checkpoint(source.id, 5)
    attempts.fail(source.id, 1, "internal_error", "It broke.")
    return checkpoint.id, source.id


@pytest.mark.long
def test_a_job_begins_with_anothers_weights_though_that_one_is_gone(broker: Process) -> None:
    checkpoint, source = start()
    begun, fresh = make_job("gan", steps=2, start_from=checkpoint), make_job("gan", steps=2)
    damaged = make_job("gan", start_from=checkpoint)
    get_settings().checkpoints(damaged.id).joinpath("start.pt").unlink()
    lifecycle.delete(source)
    with running_worker(FORGER_SLOTS="3"):
        assert export_of(finished(begun)) != export_of(finished(fresh))
        failed = until_state(damaged.id, *TERMINAL)
    assert failed.status_reason is not None
    assert failed.status_reason.code == "start_damaged"
