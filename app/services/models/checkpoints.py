"""Find a checkpoint by its id, verify it, and keep its file for a job that begins from it."""

import os
import shutil
from pathlib import Path

from app.core.errors import Conflict, NotFound
from app.core.ids import is_id
from app.core.settings import get_settings
from app.core.store import sha256_of
from app.db.repositories import files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.views import CheckpointView, JobView, VersionView
from models.durable import fsync


def find(checkpoint_id: str) -> tuple[CheckpointView, JobView]:
    """The checkpoint and its job. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = files.checkpoint(session, checkpoint_id) if is_id("ckpt", checkpoint_id) else None
        job = None if row is None else rows.find(session, row.job_id)
        if row is None or job is None:
            sentence = f"There is no checkpoint '{checkpoint_id[:80]}'. GET /jobs/<id>/checkpoints lists those kept."
            raise NotFound(sentence, code="no_checkpoint")
        return views.checkpoint(row), views.job(job)


def of_version(version: VersionView) -> tuple[CheckpointView, JobView]:
    """The checkpoint that a model's version was made of, and its job. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        job = None if version.job_id is None else rows.find(session, version.job_id)
        kept = [] if job is None else files.checkpoints(session, job.id)
        row = next((row for row in kept if row.step == version.step), None)
        if row is None or job is None:
            raise NotFound(f"The checkpoint of {version.reference} is gone.", code="no_checkpoint")
        return views.checkpoint(row), views.job(job)


def hold(checkpoint: CheckpointView, job_id: str, target: Path) -> None:
    """A second name for the file, so that it stays when its job drops it; verified, and durable. Raises Conflict."""
    source = get_settings().checkpoints(job_id) / checkpoint.file
    if (how := link(source, checkpoint.sha256, target)) is not None:
        sentence = f"The file of checkpoint {checkpoint.id} (step {checkpoint.step}) is {how}; take another checkpoint."
        raise Conflict(sentence, code="checkpoint_damaged")


def link(source: Path, sha256: str, target: Path) -> str | None:
    """A second name for a file, verified, and durable; or what is wrong with it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _link(source, target)
    except FileNotFoundError:
        return "missing"
    if sha256_of(target) != sha256:
        return "damaged"
    fsync(target.parent)
    fsync(target.parent.parent)
    return None


def _link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all."""
    try:
        shutil.copyfile(source, target)
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
    except OSError:
        target.unlink(missing_ok=True)
        raise
