"""Real runners that stop themselves (SIGSTOP) before a chosen access to a file, and continue when they are woken."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.core.settings import CHECKOUT, get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.machines import environment
from tests.support.wait import until
from tests.support.worker import writable

NEVER = 0
FOLDER = Path(__file__).with_name("suspending")


@dataclass(frozen=True)
class Runner:
    """One attempt's process."""

    process: subprocess.Popen[bytes]
    access_log: Path

    def wait_until_suspended(self) -> bool:
        """Wait until the runner has stopped itself or has ended; return whether it is suspended.

        A runner that stopped during a write is woken: its lock on the database would block all others.
        """
        known = psutil.Process(self.process.pid)
        until(lambda: self.process.poll() is not None or known.status() == psutil.STATUS_STOPPED, within_s=300)
        if self.process.poll() is None and not writable():
            known.resume()
            return False
        return self.process.poll() is None

    def finish(self) -> None:
        """Wake the runner, and wait for its end."""
        if self.process.poll() is None:
            psutil.Process(self.process.pid).resume()
        assert self.process.wait(300) == 0, self.process.args

    def accesses(self) -> list[str]:
        return self.access_log.read_text().splitlines()


@contextmanager
def running(job_id: str, fence: int, at: int = NEVER) -> Iterator[Runner]:
    """Run an attempt that stops before its access number `at`."""
    home = get_settings().home
    access_log = home / f"accesses-{job_id}-{fence}"
    path = os.pathsep.join((str(FOLDER), str(CHECKOUT)))
    env = environment(FORGER_HOME=str(home), PYTHONPATH=path, TEST_SUSPEND_AT=str(at), TEST_ACCESS_LOG=str(access_log))
    command = [sys.executable, "-P", "-m", "worker.runners.main", job_id, str(fence)]
    with (home / "runners.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, env=env, cwd=CHECKOUT
        )
    try:
        yield Runner(process, access_log)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def unbroken(create: Callable[[], JobView]) -> tuple[str, list[str]]:
    """Run a job without disturbance; return its results and the file accesses of its runner."""
    job = create()
    with running(job.id, claimed(job.id)) as runner:
        runner.finish()
    return results_of(job.id), runner.accesses()


def overtaken(create: Callable[[], JobView], first: int, second: int) -> str:
    """Suspend an attempt at its access `first`; wake it while its successor is suspended at `second`.

    Return the job's results.
    """
    job = create()
    with running(job.id, claimed(job.id), first) as old:
        # A runner removes its working files after it has ended the job: then no attempt follows.
        if not old.wait_until_suspended() or lifecycle.get(job.id).state in TERMINAL:
            old.finish()
            return results_of(job.id)
        attempts.record_runner_loss(job.id, 1, "worker_lost", "The host was suspended.")
        with running(job.id, claimed(job.id), second) as new:
            new.wait_until_suspended()
            old.finish()
            new.finish()
    return results_of(job.id)


def claimed(job_id: str) -> int:
    claim = attempts.claim(job_id, "tests")
    assert claim is not None
    return claim.fence


def results_of(job_id: str) -> str:
    """Check that the job succeeded; return the names and sha256 of its results."""
    job = lifecycle.get(job_id)
    assert job.state == JobState.SUCCEEDED, (job.state, job.status_reason)
    kinds = ("export", "shard", "evaluation", "sample")
    return "\n".join(f"{item.name} {item.sha256}" for item in lifecycle.artifacts(job_id) if item.kind in kinds)


def draw(name: str, accesses: int) -> int:
    """Draw an access of the successor; beyond its last one it has ended before the other attempt wakes."""
    return random.Random(name).randint(1, accesses + 2)
