"""Read the log of a job's newest attempt on this machine. The worker's machine writes it; the home may be shared."""

import re
from pathlib import Path

from app.core.errors import NotFound
from app.core.settings import get_settings
from app.services.jobs import lifecycle

MAX_BYTES = 64 << 10


def tail(job_id: str, lines: int) -> str:
    """Return the last `lines` lines, of the last MAX_BYTES, of the newest attempt that has a log. Raises NotFound."""
    lifecycle.get(job_id)
    files = sorted(get_settings().logs.glob(f"{job_id}-*.log"), key=_attempt)
    if not files:
        raise NotFound(
            f"This machine has no log of {job_id}: no attempt has run, or a worker on another machine keeps it.",
            code="no_log",
        )
    with files[-1].open("rb") as file:
        file.seek(max(0, files[-1].stat().st_size - MAX_BYTES))
        text = file.read(MAX_BYTES).decode(errors="replace")
    return "".join(text.splitlines(keepends=True)[-lines:])


def _attempt(path: Path) -> int:
    number = re.search(r"-(\d+)\.log$", path.name)
    return int(number[1]) if number else 0
