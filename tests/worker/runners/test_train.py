"""Training runners in this process: stopped before their first step, and continued after an extension."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.core.settings import get_settings
from app.services.creation import train
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import JobState
from models.spec.resolve import resolve
from tests.support.databases import sqlite_only
from tests.support.datasets import upload_dataset
from tests.support.jobs import make_job
from tests.support.supervisor_link import ScriptedLink, silent_link
from tests.support.zips import classes
from worker.runners.main import build_runner


def job_on_an_upload() -> JobView:
    info = upload_dataset("pets", classes("cat", "dog")).info
    recipe = resolve("cdcgan", dataset="pets", budget={"steps": 9}, datasets={"pets": info})[1]
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


def job_in_minutes() -> JobView:
    recipe = resolve("gan", dataset="ring8", budget={"minutes": 1})[1]
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(
    ("create", "heartbeat"),
    [
        pytest.param(job_on_an_upload, 1, id="before the pictures are read"),
        pytest.param(job_on_an_upload, 2, id="while the pictures are prepared"),
        pytest.param(job_in_minutes, 6, id="while the throughput is measured"),
    ],
)
@pytest.mark.parametrize(
    ("request_stop", "end"),
    [(lifecycle.cancel, JobState.CANCELLED), (lifecycle.pause, JobState.PAUSED), (None, JobState.QUEUED)],
    ids=["cancel", "pause", "release"],
)
def test_stop_request_before_the_first_step_ends_the_attempt_at_once(
    database: Path,
    create: Callable[[], JobView],
    heartbeat: int,
    request_stop: Callable[[str], object] | None,
    end: JobState,
) -> None:
    job = create()
    assert attempts.claim(job.id, "tests") is not None
    link = ScriptedLink(heartbeat, lambda: request_stop and request_stop(job.id))
    build_runner(job, 1, link).run()
    ended = lifecycle.get(job.id)
    assert (ended.state, ended.step, ended.total) == (end, 0, job.total)
    assert link.beats == heartbeat
    settings = get_settings()
    assert [*settings.prepared.glob("*"), *settings.checkpoints(job.id).glob("*")] == []


@sqlite_only
def test_log_has_one_line_with_the_parts_of_the_time_to_the_first_step(database: Path) -> None:
    job = make_job("gan", "ring8", steps=4, watch=None)
    assert attempts.claim(job.id, "tests") is not None
    began = time.monotonic()
    with capture_logs() as lines:
        build_runner(job, 1, silent_link()).run()
    (line,) = [line for line in lines if line["event"] == "first_step"]
    parts = {name: value for name, value in line.items() if name.endswith("_s")}
    assert [*parts] == ["imports_s", "settling_s", "data_s", "preparing_s", "first_step_s"]
    assert 0 < sum(parts.values()) < time.monotonic() - began
    assert gc.isenabled()


@sqlite_only
@pytest.mark.parametrize("damaged", [False, True])
def test_extension_that_resumes_from_before_the_old_end_reports_lost_exactness(database: Path, damaged: bool) -> None:
    job = make_job("gan", "ring8", steps=4, checkpoint_every=2, report_every=4, watch=None)
    for fence in (1, 2):
        assert attempts.claim(job.id, "tests") is not None
        with capture_logs() as lines:
            build_runner(lifecycle.get(job.id), fence, silent_link()).run()
        first = 1 if fence == 1 else 3 if damaged else 5
        assert [line["step"] for line in lines if line["event"] == "first_step"] == [first]
        if fence == 1:
            lifecycle.extend(job.id, 2)
            newest = lifecycle.checkpoints(job.id)[0]
            assert newest.step == 4
            if damaged:
                (get_settings().checkpoints(job.id) / newest.file).write_bytes(b"damaged")
    ended = lifecycle.get(job.id)
    assert (ended.state, ended.step) == (JobState.SUCCEEDED, 6)
    reasons = [event.data["reason"] for event in lifecycle.events(job.id) if event.type == "exactness_lost"]
    assert len(reasons) == damaged
    assert all("extended at step 4 and continues from step 2" in reason for reason in reasons)
