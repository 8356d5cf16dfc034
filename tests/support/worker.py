"""Broker and Celery worker in processes of their own, beside the test's own home."""

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
from forger.wire import JobState
from tests.support.wait import until

Process = subprocess.Popen[bytes]


@contextmanager
def running_redis() -> Iterator[Process]:
    """An embedded Redis for the test's home."""
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
    """A Celery worker for the test's home; its log is `<home>/worker.log`."""
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


def suspend(*processes: psutil.Process) -> None:
    """Stops them, but not amidst a write: SQLite's one lock stays with whoever sleeps, and holds all others up."""

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
    """PostgreSQL ends connections that hang inside a transaction, so nobody holds it up for long."""
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
    """The job once it is in one of the states."""

    def seen() -> JobView | None:
        job = lifecycle.get(job_id)
        return job if job.state in states else None

    found = until(seen, within_s=within_s)
    assert found is not None
    return found


def until_step(job_id: str, step: int) -> JobView:
    """The job once it trains at that step or beyond."""

    def seen() -> JobView | None:
        job = lifecycle.get(job_id)
        return job if job.state == JobState.RUNNING and job.step >= step else None

    found = until(seen)
    assert found is not None
    return found
