"""Lower the priority of computing threads on a machine with few cores."""

import os


def yield_to_others() -> None:
    """From here on this thread, when it wakes up, waits until whoever runs on its core pauses. Changes no number.

    Else every order placed with it takes the core away from the thread that has more of them to place: so it wakes
    once for many. Linux alone knows this; elsewhere it does nothing.
    """
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
