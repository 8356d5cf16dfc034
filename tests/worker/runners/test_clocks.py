"""A worker whose clock is wrong works as any other: nothing compares its clock with another's."""

import os
import time
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.core.store import Store
from app.services.jobs import lifecycle
from app.services.models import registry
from app.services.system import garbage
from forger.wire import TERMINAL, JobState
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state, worker_log

CLOCK = Path(__file__).parents[2] / "support" / "clock"
DAY_S = 24 * 3600.0


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


def wrong_by(seconds: float) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join((str(CLOCK), os.getcwd())), "TEST_CLOCK_S": str(seconds)}


@pytest.mark.parametrize("seconds", [DAY_S, pytest.param(-DAY_S, marks=pytest.mark.long)])
def test_a_worker_whose_clock_is_wrong(broker: Process, seconds: float) -> None:
    """It takes the one ring there is, keeps its lease, sweeps no young file and says how long the job took."""
    garbage.sweep()  # the empty home becomes this database's
    store, began = Store(get_settings().artifacts), time.monotonic()
    young = store.path(store.put_bytes(b"waits for its row"))
    old = store.path(store.put_bytes(b"unnamed"))
    os.utime(old, (0, 0))
    job = make_job("gan", "ring8", steps=20)
    with running_worker(FORGER_RING_INTERVAL_S="1000", **wrong_by(seconds)):
        done = until_state(job.id, *TERMINAL)
        until(lambda: not old.exists())
    took = time.monotonic() - began
    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1), done.status_reason
    (version,) = registry.versions()
    assert 0 < version.card["seconds"] < took
    assert young.exists()
    assert all(artifact.sha256 for artifact in lifecycle.artifacts(job.id))
    lines = [line for line in worker_log().read_text().splitlines() if '"attempt_started"' in line]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert lines
    assert today not in lines[0].partition('"timestamp"')[2], "the worker's clock was not shifted"
