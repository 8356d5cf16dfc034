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
"""set when this worker process is ordered to stop"""


def register(app: Celery) -> None:
    """Register a task for each kind of job, with the slots of its queue."""
    numbers = {QUEUES[TRAIN]: get_settings().slots, QUEUES[EVALUATE]: NON_TRAINING_SLOTS}
    slots = {queue: threading.Semaphore(number) for queue, number in numbers.items()}
    for kind, queue in QUEUES.items():
        app.task(_task(kind, slots[queue]), name=TASKS[kind])


def _task(kind: str, slots: threading.Semaphore) -> Callable[[str], None]:
    """Return the task of a kind of job.

    It runs the oldest queued job if a slot is free. Otherwise it drops the message: another one is sent when a slot
    becomes free.
    """

    def run_oldest(job_id: str) -> None:
        if not slots.acquire(blocking=False):
            return
        try:
            oldest = lifecycle.oldest_queued(kind)
            if oldest is not None:
                supervise(oldest, closing)
        finally:
            slots.release()
        lifecycle.ring_oldest(kind)

    return run_oldest
