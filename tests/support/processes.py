"""Facts about running processes: the libraries they have loaded, and whether they have ended."""

from collections.abc import Iterable
from pathlib import Path

import psutil


def has_loaded(process: psutil.Process, library: str) -> bool:
    """Return whether the process has mapped a file of this library."""
    return library in Path(f"/proc/{process.pid}/maps").read_text()


def all_ended(processes: Iterable[psutil.Process]) -> bool:
    """Return whether none of the processes runs; a zombie has ended."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
