"""Jobs on two devices with real workers: two processes on the CPU, of which the worker knows only the first."""

import os
from ipaddress import ip_address

import psutil
import pytest

from app.core.settings import get_settings
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.databases import sqlite_only
from tests.support.jobs import make_job
from tests.support.processes import all_ended
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state, until_step

S = JobState
STEPS = 150
WITHIN_S = 300
LONG = 100_000
"""so many steps that no test waits for their end"""
pytestmark = sqlite_only


def job_on_two_devices(steps: int) -> JobView:
    return make_job("dcgan", steps=steps, devices=2, checkpoint_every=5, report_every=1, batch_size=8)


def ranks_of(worker: Process) -> list[psutil.Process]:
    """Wait until the worker has a runner with ranks; return its processes, rank 0 first."""

    def find() -> list[psutil.Process] | None:
        children = psutil.Process(worker.pid).children(recursive=True)
        first, others = (
            [child for child in children if name in child.cmdline()]
            for name in ("worker.runners.main", "worker.runners.ranks")
        )
        return [*first, *others] if first and others else None

    found = until(find)
    assert found is not None
    return found


def reported_steps(job_id: str) -> list[int]:
    curve, _ = lifecycle.metrics(job_id).get("generator/non_saturating", ([], False))
    return [step for step, _ in curve]


def until_reported(job_id: str, step: int) -> None:
    """Wait until the runner itself has reported the step: the supervisor records steps only now and then."""
    until(lambda: step in reported_steps(job_id))


def until_all_ended(processes: list[psutil.Process]) -> None:
    until(lambda: all_ended(processes), within_s=10)


def listens_on_loopback(process: psutil.Process) -> bool:
    """Return whether the process listens on loopback addresses, and on no others."""
    listening = [one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    return bool(listening) and all(ip_address(ip).is_loopback for ip in listening)


@pytest.mark.long
def test_job_with_killed_ranks_and_a_pause_gives_the_bytes_of_an_undisturbed_one(broker: Process) -> None:
    unbroken = job_on_two_devices(STEPS)
    with running_worker():
        whole = until_state(unbroken.id, *TERMINAL, within_s=WITHIN_S)
        assert whole.state == S.SUCCEEDED, whole.status_reason
    assert whole.numerics is not None
    assert whole.numerics["devices"] == 2
    broken = job_on_two_devices(STEPS)
    with running_worker() as worker:
        for rank, step in ((0, 7), (1, 18)):
            until_reported(broken.id, step)
            ranks = ranks_of(worker)
            ranks[rank].kill()
            until_all_ended(ranks)
        until_reported(broken.id, 26)
        ranks = ranks_of(worker)
        lifecycle.pause(broken.id)
        until_state(broken.id, S.PAUSED)
        until_all_ended(ranks)
        lifecycle.resume(broken.id)
        resumed = until_state(broken.id, *TERMINAL, within_s=WITHIN_S)
        assert resumed.state == S.SUCCEEDED, resumed.status_reason
    assert whole.result is not None
    assert resumed.result is not None
    assert resumed.attempt == 4
    assert resumed.result.export_sha256 == whole.result.export_sha256
    reasons = [event.data["reason"]["message"] for event in lifecycle.events(broken.id) if "reason" in event.data]
    assert "killed (signal 9)" in reasons[0]
    assert "Rank 1 of the job was ended by SIGKILL" in reasons[1]
    assert reported_steps(broken.id) == list(range(1, STEPS + 1)), "no step twice, none missing"
    files = {path.name for path in get_settings().checkpoints(broken.id).iterdir()}
    assert all(name.endswith(".pt") for name in files), files


@pytest.mark.long
def test_ranks_listen_on_loopback_and_end_with_a_cancel_or_their_worker(broker: Process) -> None:
    job = job_on_two_devices(LONG)
    with running_worker() as worker:
        until_step(job.id, 3)
        ranks = ranks_of(worker)
        assert all(listens_on_loopback(rank) for rank in ranks)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
        until_all_ended(ranks)
        orphan = job_on_two_devices(LONG)
        until_step(orphan.id, 3)
        ranks = ranks_of(worker)
        worker.kill()
        until_all_ended(ranks)


def test_job_on_a_machine_with_too_few_devices_fails(broker: Process) -> None:
    many = len(os.sched_getaffinity(0)) + 1
    job = make_job("dcgan", steps=5, devices=many, batch_size=8)
    with running_worker():
        failed = until_state(job.id, *TERMINAL)
    assert failed.status_reason is not None
    assert (failed.state, failed.status_reason.code) == (S.FAILED, "too_few_devices")
    assert f"computes on {many} devices" in failed.status_reason.message
