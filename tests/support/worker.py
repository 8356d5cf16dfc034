"""Redis and a Celery worker in processes of their own, on the test's own home; and what the tests wait for."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from sqlalchemy.engine import make_url

from app.core.settings import CHECKOUT, get_settings
from app.embedded import redis
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.wait import until

Process = subprocess.Popen[bytes]


@contextmanager
def running_redis() -> Iterator[Process]:
    """Run an embedded Redis for the test's home."""
    socket = get_settings().redis_socket
    process = subprocess.Popen(redis.command(socket), stdout=subprocess.DEVNULL)
    try:
        until(lambda: redis.answers(socket))
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def running_worker(module: str = "worker.celery_app", **settings: str) -> Iterator[Process]:
    """Run a Celery worker for the test's home; its log is `<home>/worker.log`."""
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0", "FORGER_THREADS": "1", **settings}
    command = [sys.executable, "-P", "-m", "celery", "-q", "-A", module, "worker", "--loglevel", "info"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with worker_log().open("ab") as log:
        process = subprocess.Popen(command, env=env, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def runner_of(worker: Process, job_id: str | None = None) -> psutil.Process:
    """Wait until the worker has a runner, or the runner of this job; return it."""

    def find() -> psutil.Process | None:
        for child in psutil.Process(worker.pid).children():
            command = child.cmdline()
            if "worker.runners.main" in command and (job_id is None or job_id in command):
                return child
        return None

    found = until(find)
    assert found is not None
    return found


def suspend(*processes: psutil.Process) -> None:
    """Stop the processes, but not during a write: SQLite's only lock would stay with a stopped process."""

    def stopped() -> bool:
        for process in processes:
            process.suspend()
        until(lambda: all(process.status() == psutil.STATUS_STOPPED for process in processes))
        if writable():
            return True
        for process in processes:
            process.resume()
        return False

    until(stopped)


def writable() -> bool:
    """Return whether the database can be written now. PostgreSQL always can: it ends transactions that hang."""
    url = make_url(get_settings().database_url)
    if url.get_backend_name() != "sqlite":
        return True
    assert url.database is not None
    with closing(sqlite3.connect(url.database, timeout=0.2, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


def worker_log() -> Path:
    home = get_settings().home
    home.mkdir(parents=True, exist_ok=True)
    return home / "worker.log"


def until_state(job_id: str, *states: JobState, within_s: float = 60) -> JobView:
    """Wait until the job is in one of the states; return it."""

    def find() -> JobView | None:
        job = lifecycle.get(job_id)
        return job if job.state in states else None

    found = until(find, within_s=within_s)
    assert found is not None
    return found


def until_succeeded(job_id: str) -> JobView:
    """Wait until the job has ended; check that it succeeded."""
    job = until_state(job_id, *TERMINAL)
    assert job.state == JobState.SUCCEEDED, job.status_reason
    return job


def until_step(job_id: str, step: int) -> JobView:
    """Wait until the job runs at this step or beyond; return it."""

    def find() -> JobView | None:
        job = lifecycle.get(job_id)
        return job if job.state == JobState.RUNNING and job.step >= step else None

    found = until(find)
    assert found is not None
    return found
