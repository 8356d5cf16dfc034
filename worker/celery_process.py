"""Start and stop a Celery process."""

import os
import signal
import threading

from app.core.sandbox import private


def begin() -> None:
    """Celery tells of its end on stdout in plain words, where somebody may be parsing lines."""
    private.begin()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def one_way_out() -> None:
    """Celery's cold shutdown cannot end a thread and would hang: ours is quick enough for SIGQUIT too."""
    signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))


def end_within(seconds: float) -> None:
    """Ends the process then, whatever still hangs."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
