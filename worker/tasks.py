"""The one task: a ring at the door."""

import threading

from celery import Celery

from app.core.names import TRAIN_TASK
from worker.supervisor import supervise

closing = threading.Event()
"""Set when this worker process is asked to stop."""


def train(job_id: str) -> None:
    supervise(job_id, closing)


def register(app: Celery) -> None:
    app.task(train, name=TRAIN_TASK)
