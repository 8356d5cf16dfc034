"""Jobs on two devices, with real workers: two processes on the CPU, of which only the first is anybody's business."""

import os
from ipaddress import ip_address

import psutil
import pytest

from app.core.settings import get_settings
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state, until_step

S = JobState
STEPS = 150
WITHIN_S = 300
LONG = 100_000
"""Steps that no test waits for."""
pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def on_two(steps: int) -> JobView:
    return make_job("dcgan", steps=steps, devices=2, checkpoint_every=5, report_every=1, batch_size=8)


def ranks_of(worker: Process) -> list[psutil.Process]:
    """Rank 0 first."""

    def seen() -> list[psutil.Process] | None:
        below = psutil.Process(worker.pid).children(recursive=True)
        first, others = (
            [one for one in below if name in one.cmdline()] for name in ("worker.runners.main", "worker.runners.ranks")
        )
        return [*first, *others] if first and others else None

    found = until(seen)
    assert found is not None
    return found


def told_steps(job_id: str) -> list[int]:
    curve, _ = lifecycle.metrics(job_id).get("generator/non_saturating", ([], False))
    return [step for step, _ in curve]


def until_told(job_id: str, step: int) -> None:
    """By the runner itself, at once: the supervisor tells its steps now and then."""
    until(lambda: step in told_steps(job_id))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def all_gone(processes: list[psutil.Process]) -> None:
    until(lambda: all(gone(process) for process in processes), within_s=10)


def listens_on_loopback(process: psutil.Process) -> bool:
    """On something, and on nothing else."""
    heard = [one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    return bool(heard) and all(ip_address(ip).is_loopback for ip in heard)


@pytest.mark.long
def test_killed_ranks_paused_and_stopped_jobs_end_with_the_unbroken_runs_bytes(broker: Process) -> None:
    unbroken = on_two(STEPS)
    with running_worker():
        whole = until_state(unbroken.id, *TERMINAL, within_s=WITHIN_S)
        assert whole.state == S.SUCCEEDED, whole.status_reason
    assert whole.numerics is not None
    assert whole.numerics["devices"] == 2
    broken = on_two(STEPS)
    with running_worker() as worker:
        for rank, step in ((0, 7), (1, 18)):
            until_told(broken.id, step)
            ranks = ranks_of(worker)
            ranks[rank].kill()
            all_gone(ranks)
        until_told(broken.id, 26)
        ranks = ranks_of(worker)
        lifecycle.pause(broken.id)
        until_state(broken.id, S.PAUSED)
        all_gone(ranks)
        lifecycle.resume(broken.id)
        mended = until_state(broken.id, *TERMINAL, within_s=WITHIN_S)
        assert mended.state == S.SUCCEEDED, mended.status_reason
    assert whole.result is not None
    assert mended.result is not None
    assert mended.attempt == 4
    assert mended.result.export_sha256 == whole.result.export_sha256
    reasons = [event.data["reason"]["message"] for event in lifecycle.events(broken.id) if "reason" in event.data]
    assert "killed (signal 9)" in reasons[0]
    assert "Rank 1 of the job was ended by SIGKILL" in reasons[1]
    assert told_steps(broken.id) == list(range(1, STEPS + 1)), "no step twice, none missing"
    left = {path.name for path in get_settings().checkpoints(broken.id).iterdir()}
    assert all(name.endswith(".pt") for name in left), left


@pytest.mark.long
def test_no_rank_outlives_a_cancel_or_a_killed_worker(broker: Process) -> None:
    job = on_two(LONG)
    with running_worker() as worker:
        until_step(job.id, 3)
        ranks = ranks_of(worker)
        assert all(listens_on_loopback(rank) for rank in ranks)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
        all_gone(ranks)
        orphan = on_two(LONG)
        until_step(orphan.id, 3)
        ranks = ranks_of(worker)
        worker.kill()
        all_gone(ranks)


def test_a_machine_with_fewer_devices_says_so_and_changes_nothing(broker: Process) -> None:
    many = len(os.sched_getaffinity(0)) + 1
    job = make_job("dcgan", steps=5, devices=many, batch_size=8)
    with running_worker():
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "too_few_devices")
    assert f"computes on {many} devices" in failed.status_reason.message
