"""Runners in this process: one that is called off before its first step, and one that goes on after an extension."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.core.settings import get_settings
from app.services.creation import train
from app.services.datasets.intake import Intake
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import JobState
from models.spec.resolve import resolve
from tests.support.jobs import make_job
from tests.support.zips import classes, zipped
from worker.runners.main import build_runner
from worker.runners.supervisor_link import SupervisorLink


class Ordered(SupervisorLink):
    """Nobody listens; the order comes at the heartbeat of that number."""

    def __init__(self, at: int, order: Callable[[], object]) -> None:
        super().__init__()
        self.beats, self._at, self._order = 0, at, order

    def beat(self, step: int, *, now: bool = False) -> None:
        self.beats += 1
        if self.beats == self._at:
            self._order()
            self.order = "as the row says"


def on_an_upload() -> JobView:
    settings = get_settings()
    settings.incoming.mkdir(parents=True)
    path = settings.incoming / "x.zip"
    path.write_bytes(zipped(classes("cat", "dog")))
    intake = Intake(settings)
    try:
        info = intake.take(path, "pets", "auto").info
    finally:
        intake.close()
    recipe = resolve("cdcgan", dataset="pets", budget={"steps": 9}, datasets={"pets": info})[1]
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


def in_minutes() -> JobView:
    recipe = resolve("gan", dataset="ring8", budget={"minutes": 1})[1]
    return lifecycle.create(train.of_recipe(recipe, None, "mine"))


@pytest.mark.sampled(quick=2)
@pytest.mark.parametrize(
    ("make", "at"),
    [
        pytest.param(on_an_upload, 1, id="before the pictures"),
        pytest.param(on_an_upload, 2, id="while the pictures are prepared"),
        pytest.param(in_minutes, 6, id="while the pace is measured"),
    ],
)
@pytest.mark.parametrize(
    ("ask", "end"),
    [(lifecycle.cancel, JobState.CANCELLED), (lifecycle.pause, JobState.PAUSED), (None, JobState.QUEUED)],
)
def test_an_order_before_the_first_step_ends_the_attempt_there(
    database: Path, make: Callable[[], JobView], at: int, ask: Callable[[str], object] | None, end: JobState
) -> None:
    job = make()
    assert attempts.claim(job.id, "tests") is not None
    link = Ordered(at, lambda: ask and ask(job.id))
    build_runner(job, 1, link).run()
    ended = lifecycle.get(job.id)
    assert (ended.state, ended.step, ended.total) == (end, 0, job.total)
    assert link.beats == at
    settings = get_settings()
    assert [*settings.prepared.glob("*"), *settings.checkpoints(job.id).glob("*")] == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_log_says_once_where_the_time_to_the_first_step_went(database: Path) -> None:
    job = make_job("gan", "ring8", steps=4, watch=None)
    assert attempts.claim(job.id, "tests") is not None
    began = time.monotonic()
    with capture_logs() as lines:
        build_runner(job, 1, Ordered(-1, lambda: None)).run()
    (line,) = [line for line in lines if line["event"] == "first_step"]
    parts = {name: value for name, value in line.items() if name.endswith("_s")}
    assert [*parts] == ["imports_s", "settling_s", "data_s", "preparing_s", "first_step_s"]
    assert 0 < sum(parts.values()) < time.monotonic() - began
    assert gc.isenabled()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("damaged", [False, True])
def test_an_extension_that_goes_on_from_before_it_says_what_is_lost(database: Path, damaged: bool) -> None:
    job = make_job("gan", "ring8", steps=4, checkpoint_every=2, report_every=4, watch=None)
    for fence in (1, 2):
        assert attempts.claim(job.id, "tests") is not None
        with capture_logs() as lines:
            build_runner(lifecycle.get(job.id), fence, Ordered(-1, lambda: None)).run()
        first = 1 if fence == 1 else 3 if damaged else 5
        assert [line["step"] for line in lines if line["event"] == "first_step"] == [first]
        if fence == 1:
            lifecycle.extend(job.id, 2)
            newest = lifecycle.checkpoints(job.id)[0]
            assert newest.step == 4
            if damaged:
                (get_settings().checkpoints(job.id) / newest.file).write_bytes(b"spoilt")
    ended = lifecycle.get(job.id)
    assert (ended.state, ended.step) == (JobState.SUCCEEDED, 6)
    reasons = [event.data["reason"] for event in lifecycle.events(job.id) if event.type == "exactness_lost"]
    assert len(reasons) == damaged
    assert all("extended at step 4 and continues from step 2" in reason for reason in reasons)
