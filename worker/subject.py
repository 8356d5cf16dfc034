"""The weights that a job works with and does not train, as its runner finds them."""

from collections.abc import Callable
from pathlib import Path

from app.core.settings import get_settings
from app.core.store import sha256_of
from app.services.subjects import SUBJECT_FILE
from app.services.views import JobView


class SubjectDamaged(Exception):
    """The weights are not what they were."""


def held(job: JobView, beat: Callable[[], None]) -> Path:
    """The file, verified; `beat` is called all along. Raises SubjectDamaged."""
    path = get_settings().checkpoints(job.id) / SUBJECT_FILE
    if not path.is_file() or sha256_of(path, beat) != (job.asked or {})["sha256"]:
        raise SubjectDamaged("The weights that this job works with are missing or damaged. Create the job again.")
    return path
