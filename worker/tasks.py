"""The Celery tasks: one for each kind of job."""

import threading
from collections.abc import Callable

from celery import Celery

from app.core.names import QUEUES, TASKS
from app.core.settings import get_settings
from app.services.jobs import lifecycle
from app.services.queue import NON_TRAINING_SLOTS
from forger.wire import EVALUATE, TRAIN
from worker.supervisor import supervise

closing = threading.Event()
"""Set when this worker process is asked to stop."""


def register(app: Celery) -> None:
    numbers = {QUEUES[TRAIN]: get_settings().slots, QUEUES[EVALUATE]: NON_TRAINING_SLOTS}
    places = {queue: threading.Semaphore(number) for queue, number in numbers.items()}
    for kind, queue in QUEUES.items():
        app.task(_door(kind, places[queue]), name=TASKS[kind])


def _door(kind: str, places: threading.Semaphore) -> Callable[[str], None]:
    """Where there is a place, whoever has waited longest is let in; who is sent away is rung for when one is free."""

    def enter(job_id: str) -> None:
        if not places.acquire(blocking=False):
            return
        try:
            waiting = lifecycle.oldest_queued(kind)
            if waiting is not None:
                supervise(waiting, closing)
        finally:
            places.release()
        lifecycle.ring_oldest(kind)

    return enter
