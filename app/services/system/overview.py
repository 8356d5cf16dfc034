"""Describe the service as a whole: its queues, the workers that hold jobs, its disk and its versions."""

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.machine import gpu_count, memory_bytes
from app.core.names import QUEUES
from app.core.settings import get_settings
from app.core.states import ACTIVE
from app.db.repositories.database import stored_bytes
from app.db.session import unit_of_work
from app.db.tables import Job
from forger.wire import VERSION, JobState

PACKAGES = ("torch", "fastapi", "celery", "sqlalchemy")
"""packages whose versions people ask for first"""


@dataclass(frozen=True, slots=True)
class QueueLoad:
    name: str
    queued: int
    running: int


@dataclass(frozen=True, slots=True)
class HeldJob:
    """A job that a worker holds. `heartbeat_at` is in epoch seconds."""

    job: str
    kind: str
    worker: str
    heartbeat_at: float | None


@dataclass(frozen=True, slots=True)
class Disk:
    total_bytes: int
    free_bytes: int
    stored_bytes: int
    """of jobs, models and uploaded datasets; a job that has not ended counts with the most that it may keep"""


@dataclass(frozen=True, slots=True)
class Overview:
    queues: list[QueueLoad]
    attempts: list[HeldJob]
    disk: Disk
    versions: dict[str, str | None]
    """by name; None for a package that is not installed here"""
    memory_bytes: int
    gpus: int


def describe() -> Overview:
    """Return the state of the service at this moment, as this process's machine and the database see it."""
    usage = shutil.disk_usage(get_settings().home)
    packages = {package: _version(package) for package in PACKAGES}
    with unit_of_work(read_only=True) as session:
        return Overview(
            queues=_queues(session),
            attempts=_attempts(session),
            disk=Disk(usage.total, usage.free, stored_bytes(session)),
            versions={"forger": VERSION, "python": platform.python_version(), **packages},
            memory_bytes=memory_bytes(),
            gpus=gpu_count(),
        )


def _queues(session: Session) -> list[QueueLoad]:
    states = (JobState.QUEUED, *ACTIVE)
    counted = select(Job.state, Job.kind, func.count()).where(Job.state.in_(states)).group_by(Job.state, Job.kind)
    loads = {name: [0, 0] for name in sorted(set(QUEUES.values()))}
    for state, kind, number in session.execute(counted):
        loads[QUEUES[kind]][state != JobState.QUEUED] += number
    return [QueueLoad(name, queued, running) for name, (queued, running) in loads.items()]


def _attempts(session: Session) -> list[HeldJob]:
    held = select(Job.id, Job.kind, Job.owner, Job.heartbeat_at).where(Job.state.in_(ACTIVE)).order_by(Job.id)
    return [
        HeldJob(job_id, kind, owner or "", heartbeat_at) for job_id, kind, owner, heartbeat_at in session.execute(held)
    ]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
