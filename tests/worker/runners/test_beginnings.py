"""Starts of jobs with real workers: a budget in minutes, and another job's weights; and what is published."""

import pytest

from app.core.settings import get_settings
from app.services.creation import train
from app.services.inference.service import Inference
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.views import JobView
from forger.wire import TERMINAL
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import events_of, make_job
from tests.support.worker import Process, runner_of, running_worker, until_state, until_step, until_succeeded


def create_job(recipe: Recipe) -> JobView:
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


def export_of(job: JobView) -> str:
    assert job.result is not None
    assert job.result.export_sha256 is not None
    return job.result.export_sha256


@pytest.mark.long
def test_budget_in_minutes_is_measured_once_and_equals_a_job_of_its_steps(broker: Process) -> None:
    timed = create_job(resolve("gan", dataset="ring8", seed=5, budget={"minutes": 0.03})[1])
    assert timed.total == 0
    with running_worker() as worker:
        until_step(timed.id, 1)
        runner_of(worker).kill()
        done = until_succeeded(timed.id)
        assert done.attempt == 2
        (event,) = events_of(timed.id, "budget")
        steps = event.data["steps"]
        assert event.data["message"].startswith(f"At the pace measured here 0.03 minutes are {steps} steps;")
        assert (done.step, done.total, done.recipe.budget.steps) == (steps, steps, steps)
        assert done.recipe == resolve("gan", dataset="ring8", seed=5, budget={"steps": steps})[1]
        assert registry.versions()[0].recipe == done.recipe
        in_steps = until_succeeded(create_job(done.recipe).id)
    assert events_of(in_steps.id, "budget") == []
    assert export_of(in_steps) == export_of(done)


def test_publishing_the_last_checkpoint_gives_the_jobs_own_export(broker: Process) -> None:
    job = make_job(steps=12, checkpoint_every=5, report_every=12)
    with running_worker():
        export = export_of(until_succeeded(job.id))
    inference = Inference(get_settings())
    inference.start()
    try:
        last, previous = lifecycle.checkpoints(job.id)[:2]
        assert registry.publish("copy", last.id, inference.export).export_sha256 == export
        assert registry.publish("early", previous.id, inference.export).export_sha256 != export
    finally:
        inference.stop()


def failed_job_with_a_checkpoint() -> tuple[str, str]:
    """Return the ids of a checkpoint and of its job, which has another seed and has failed."""
    source = create_job(resolve("gan", dataset="digits", seed=9)[1])
    assert attempts.claim(source.id, "tests") is not None
    checkpoint = write_checkpoint(source.id, 5)
    attempts.fail(source.id, 1, "internal_error", "It broke.")
    return checkpoint.id, source.id


@pytest.mark.long
def test_job_starts_from_the_weights_of_a_deleted_job(broker: Process) -> None:
    checkpoint, source = failed_job_with_a_checkpoint()
    started, fresh = make_job("gan", steps=2, start_from=checkpoint), make_job("gan", steps=2)
    damaged = make_job("gan", start_from=checkpoint)
    get_settings().checkpoints(damaged.id).joinpath("start.pt").unlink()
    lifecycle.delete(source)
    with running_worker(FORGER_SLOTS="3"):
        assert export_of(until_succeeded(started.id)) != export_of(until_succeeded(fresh.id))
        failed = until_state(damaged.id, *TERMINAL)
    assert failed.status_reason is not None
    assert failed.status_reason.code == "start_damaged"
