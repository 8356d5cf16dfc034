"""A worker with a wrong clock works as any other: no code compares clocks of different machines."""

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


def clock_settings(seconds: float) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join((str(CLOCK), os.getcwd())), "TEST_CLOCK_S": str(seconds)}


@pytest.mark.parametrize("seconds", [DAY_S, pytest.param(-DAY_S, marks=pytest.mark.long)])
def test_worker_with_a_wrong_clock_runs_a_job_and_sweeps_only_old_files(broker: Process, seconds: float) -> None:
    """It keeps its lease although only one ring is sent, and reports how long the job took."""
    garbage.sweep()  # the sweep marks the empty home as this database's
    store, started_at = Store(get_settings().artifacts), time.monotonic()
    young = store.path(store.put_bytes(b"waits for its row"))
    old = store.path(store.put_bytes(b"unnamed"))
    os.utime(old, (0, 0))
    job = make_job("gan", "ring8", steps=20)
    with running_worker(FORGER_RING_INTERVAL_S="1000", **clock_settings(seconds)):
        done = until_state(job.id, *TERMINAL)
        until(lambda: not old.exists())
    duration_s = time.monotonic() - started_at
    assert (done.state, done.attempt) == (JobState.SUCCEEDED, 1), done.status_reason
    (version,) = registry.versions()
    assert 0 < version.card["seconds"] < duration_s
    assert young.exists()
    assert all(artifact.sha256 for artifact in lifecycle.artifacts(job.id))
    lines = [line for line in worker_log().read_text().splitlines() if '"attempt_started"' in line]
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert lines
    assert today not in lines[0].partition('"timestamp"')[2], "the worker's clock was not shifted"
