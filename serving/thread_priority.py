"""Lower the priority of computing threads on a machine with few cores."""

import os


def use_batch_scheduling() -> None:
    """Schedule this thread with SCHED_BATCH: a wake-up does not preempt the thread that runs on its core.

    So one wake-up of the engine serves many requests; otherwise each request would interrupt the thread that submits
    them. Results do not change. Only Linux supports this; elsewhere the call does nothing.
    """
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
