"""Real runners that stop themselves (SIGSTOP) before a chosen touch of a file, and go on when they are told to."""

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
    notes: Path

    def rests(self) -> bool:
        """Wait until it has stopped itself, which is the answer, or has ended.

        Wake it where it stopped amidst a write: it holds the database, and with it all others, up.
        """
        known = psutil.Process(self.process.pid)
        until(lambda: self.process.poll() is not None or known.status() == psutil.STATUS_STOPPED, within_s=300)
        if self.process.poll() is None and not writable():
            known.resume()
            return False
        return self.process.poll() is None

    def go_on(self) -> None:
        """Wake it, and wait for its end."""
        if self.process.poll() is None:
            psutil.Process(self.process.pid).resume()
        assert self.process.wait(300) == 0, self.process.args

    def touches(self) -> list[str]:
        return self.notes.read_text().splitlines()


@contextmanager
def running(job_id: str, fence: int, at: int = NEVER) -> Iterator[Runner]:
    """A runner of this attempt that stops before its touch number `at`."""
    home = get_settings().home
    notes = home / f"touches-{job_id}-{fence}"
    path = os.pathsep.join((str(FOLDER), str(CHECKOUT)))
    told = {"TEST_SUSPEND_AT": str(at), "TEST_TOUCHES": str(notes)}
    env = environment(FORGER_HOME=str(home), PYTHONPATH=path, **told)
    command = [sys.executable, "-P", "-m", "worker.runners.main", job_id, str(fence)]
    with (home / "runners.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log, env=env, cwd=CHECKOUT
        )
    try:
        yield Runner(process, notes)
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def unbroken(create: Callable[[], JobView]) -> tuple[str, list[str]]:
    """What the job leaves where nobody disturbs it, and its runner's touches."""
    job = create()
    with running(job.id, claimed(job.id)) as runner:
        runner.go_on()
    return left(job.id), runner.touches()


def overtaken(create: Callable[[], JobView], first: int, second: int) -> str:
    """Suspend an attempt at its touch `first`; wake it while its successor rests at `second`. What the job leaves."""
    job = create()
    with running(job.id, claimed(job.id), first) as old:
        # A runner removes its working files after it has ended the job: then no attempt follows.
        if not old.rests() or lifecycle.get(job.id).state in TERMINAL:
            old.go_on()
            return left(job.id)
        attempts.record_runner_loss(job.id, 1, "worker_lost", "The host was suspended.")
        with running(job.id, claimed(job.id), second) as new:
            new.rests()
            old.go_on()
            new.go_on()
    return left(job.id)


def claimed(job_id: str) -> int:
    claim = attempts.claim(job_id, "tests")
    assert claim is not None
    return claim.fence


def left(job_id: str) -> str:
    """The sha256 of all that a job that succeeded gives, by their names."""
    job = lifecycle.get(job_id)
    assert job.state == JobState.SUCCEEDED, (job.state, job.status_reason)
    kinds = ("export", "shard", "evaluation", "sample")
    return "\n".join(f"{item.name} {item.sha256}" for item in lifecycle.artifacts(job_id) if item.kind in kinds)


def draw(name: str, touches: int) -> int:
    """A touch of the successor; beyond its last it has ended before the other wakes."""
    return random.Random(name).randint(1, touches + 2)
