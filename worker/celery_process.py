"""Start and stop a Celery process."""

import os
import signal
import threading

from app.core.sandbox import private


def prepare() -> None:
    """Set up a Celery process, and close its stdout: Celery writes plain text there when it ends, among JSON lines."""
    private.harden_process()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def treat_quit_as_term() -> None:
    """Handle SIGQUIT as SIGTERM: Celery's cold shutdown cannot end a thread and would hang."""
    signal.signal(signal.SIGQUIT, signal.getsignal(signal.SIGTERM))


def exit_within(seconds: float) -> None:
    """Exit after so many seconds, whatever still hangs."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
