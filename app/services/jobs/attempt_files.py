"""Working files in a job's folder: every name carries its attempt's fence, so no attempt touches a later one's.

An attempt may be suspended at any line and go on when another has long taken its place. What it removes then must be
nobody's. A name of a fence below its own that no row named while it held the job is such a name: only the attempt of
that fence could have recorded it, and that one is fenced out.
"""

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.settings import get_settings

_FENCE = re.compile(r"-a(\d+)[.-]")


class FilesLost(Exception):
    """Files that the attempt works with are gone: it is lost, and the job goes on with another."""


@contextmanager
def scratch(folder: Path, purpose: str, fence: int) -> Iterator[Path]:
    """Yield a folder for the time of the block. One that is left behind is for `sweep`.

    Raises FilesLost where the folder vanished, whatever that made fail.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{purpose}-a{fence}-", dir=folder))
    try:
        yield made
    except Exception as error:
        if made.is_dir():
            raise
        raise FilesLost(f"The working files of attempt {fence} vanished: {error}") from error
    finally:
        remove(made, fence)


def sweep(folder: Path, fence: int, named: Collection[str]) -> None:
    """Remove what attempts before `fence` left and no row names; `named` was read while `fence` held the job."""
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        written_by = _fence(path)
        if written_by is not None and written_by < fence and path.name not in named:
            remove(path, fence)


def remove(path: Path, fence: int) -> None:
    """Remove a file or folder that attempt `fence` or one before it wrote. Raises ValueError for any other."""
    written_by = _fence(path)
    if written_by is None or written_by > fence:
        raise ValueError(f"Attempt {fence} may not remove {path.name}.")
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _fence(path: Path) -> int | None:
    """The fence of the attempt that wrote it; None where the name carries none."""
    found = _FENCE.search(path.name)
    return None if found is None else int(found[1])


def remove_files(job_id: str) -> None:
    """Remove checkpoints and logs of a job that was deleted."""
    settings = get_settings()
    shutil.rmtree(settings.checkpoints(job_id), ignore_errors=True)
    for log_file in settings.logs.glob(f"{job_id}-*.log"):
        log_file.unlink(missing_ok=True)
