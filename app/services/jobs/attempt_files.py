"""Working files in a job's folder, whose names contain the fence of the attempt that wrote them.

An attempt may be suspended at any line and continue after another one has taken its place, so it may only remove files
that nobody needs. A file of an earlier fence that no row named while the attempt held the job is not needed: only the
attempt of that fence could record it, and that attempt is fenced out.
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
    """The error that an attempt's working files are gone: the attempt is lost, and the job goes on with another."""


@contextmanager
def scratch(folder: Path, purpose: str, fence: int) -> Iterator[Path]:
    """Yield a temporary folder, removed when the block ends; `sweep` removes it if the process dies.

    Raises FilesLost in place of any error of the block if the folder has vanished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{purpose}-a{fence}-", dir=folder))
    try:
        yield temporary
    except Exception as error:
        if temporary.is_dir():
            raise
        raise FilesLost(f"The working files of attempt {fence} vanished: {error}") from error
    finally:
        remove(temporary, fence)


def sweep(folder: Path, fence: int, named: Collection[str]) -> None:
    """Remove files of attempts before `fence` that are not `named`.

    `named` are the files that rows name, read while `fence` held the job.
    """
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        written_by = _fence(path)
        if written_by is not None and written_by < fence and path.name not in named:
            remove(path, fence)


def remove(path: Path, fence: int) -> None:
    """Remove a file or folder that attempt `fence` or an earlier one wrote. Raises ValueError for any other."""
    written_by = _fence(path)
    if written_by is None or written_by > fence:
        raise ValueError(f"Attempt {fence} may not remove {path.name}.")
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _fence(path: Path) -> int | None:
    """Return the fence of the attempt that wrote the file; None if its name has none."""
    match = _FENCE.search(path.name)
    return None if match is None else int(match[1])


def remove_files(job_id: str) -> None:
    """Remove the folder and the logs of a job that was deleted."""
    settings = get_settings()
    shutil.rmtree(settings.checkpoints(job_id), ignore_errors=True)
    for log_file in settings.logs.glob(f"{job_id}-*.log"):
        log_file.unlink(missing_ok=True)
