"""How a job begins, with real workers: a budget to measure, another job's weights; and what is published of it."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from app.core.settings import get_settings
from app.core.states import TERMINAL, JobState
from app.services import jobs, models
from app.services.inference import Inference
from app.services.plans import Start
from app.services.views import EventView, JobView
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_redis, running_worker, until_state, until_step


@pytest.fixture
def broker(database: Path) -> Iterator[Process]:
    with running_redis() as process:
        yield process


def create(recipe: Recipe) -> JobView:
    return jobs.create(family=None, recipe=recipe, dataset=recipe.data.dataset, model_name="mine")


def told(job_id: str, type_: str) -> list[EventView]:
    return [event for event in jobs.events(job_id, limit=10_000) if event.type == type_]


def kill_runner(worker: Process) -> None:
    children = psutil.Process(worker.pid).children()
    next(child for child in children if "worker.runner" in child.cmdline()).kill()


def finished(job: JobView) -> JobView:
    done = until_state(job.id, *TERMINAL)
    assert done.state == JobState.SUCCEEDED, done.status_reason
    return done


def export_of(job: JobView) -> str:
    assert job.result is not None
    return job.result.export_sha256


def test_minutes_are_measured_once_and_the_job_is_then_the_one_of_its_steps(broker: Process) -> None:
    timed = create(resolve("gan", dataset="ring8", seed=5, budget={"minutes": 0.1})[1])
    assert timed.total == 0
    with running_worker() as worker:
        until_step(timed.id, 1)
        kill_runner(worker)
        done = finished(timed)
        assert done.attempt == 2
        (event,) = told(timed.id, "budget")
        steps = event.data["steps"]
        assert event.data["message"].startswith(f"At the pace measured here 0.1 minutes are {steps} steps;")
        assert (done.step, done.total, done.recipe.budget.steps) == (steps, steps, steps)
        assert done.recipe == resolve("gan", dataset="ring8", seed=5, budget={"steps": steps})[1]
        assert models.versions()[0].recipe == done.recipe
        given = finished(create(done.recipe))
    assert told(given.id, "budget") == []
    assert export_of(given) == export_of(done)


def test_the_last_checkpoint_published_here_is_the_jobs_own_export(broker: Process) -> None:
    job = make_job(steps=12, checkpoint_every=5, report_every=12)
    with running_worker(FORGER_THREADS="2"):
        own = export_of(finished(job))
    inference = Inference(get_settings())
    inference.start()
    try:
        last, before = jobs.checkpoints(job.id)[:2]
        assert models.publish("copy", last.id, inference.export).export_sha256 == own
        assert models.publish("early", before.id, inference.export).export_sha256 != own
    finally:
        inference.stop()


def test_a_job_begins_with_anothers_weights_though_that_one_is_gone(broker: Process) -> None:
    source = make_job("gan", steps=4, report_every=4)
    with running_worker():
        last = jobs.checkpoints(finished(source).id)[0]
        one, other = (make_job("gan", start=Start(source.id, last)) for _ in range(2))
        fresh = make_job("gan")
        jobs.delete(source.id)
        exports = [export_of(finished(job)) for job in (one, other, fresh)]
    assert exports[0] == exports[1] != exports[2]
    assert get_settings().checkpoints(one.id).joinpath("start.pt").exists()


def test_a_job_whose_first_weights_are_damaged_says_so(broker: Process) -> None:
    source = make_job("gan", steps=1)
    with running_worker():
        last = jobs.checkpoints(finished(source).id)[0]
    job = make_job("gan", start=Start(source.id, last))
    get_settings().checkpoints(job.id).joinpath("start.pt").unlink()
    with running_worker():
        failed = until(lambda: until_state(job.id, *TERMINAL))
    assert failed.status_reason is not None
    assert failed.status_reason.code == "start_damaged"
