"""Find a checkpoint by its id, verify it, and keep its file for another job."""

import os
import shutil
from pathlib import Path

from app.core.errors import Conflict, FieldError, NotFound
from app.core.ids import is_id
from app.core.settings import get_settings
from app.core.store import sha256_of
from app.db.repositories import files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.views import CheckpointView, JobView, VersionView
from forger.schemas.specs import Weights
from models.durable import fsync
from serving.protocol import CriticFile


def find(checkpoint_id: str) -> tuple[CheckpointView, JobView]:
    """Return the checkpoint and its job. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = files.checkpoint(session, checkpoint_id) if is_id("ckpt", checkpoint_id) else None
        job = None if row is None else rows.find(session, row.job_id)
        if row is None or job is None:
            sentence = f"There is no checkpoint '{checkpoint_id[:80]}'. GET /jobs/<id>/checkpoints lists those kept."
            raise NotFound(sentence, code="no_checkpoint")
        return views.checkpoint(row), views.job(job)


def weights_of(checkpoint: CheckpointView, job_id: str) -> Weights:
    """Return what a job's spec says about the weights of a checkpoint of the job `job_id`."""
    return Weights(model=None, checkpoint=checkpoint.id, job=job_id, step=checkpoint.step, sha256=checkpoint.sha256)


def of_version(version: VersionView) -> tuple[CheckpointView, JobView]:
    """Return the checkpoint from which a model's version was exported, and its job. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        job = None if version.job_id is None else rows.find(session, version.job_id)
        kept = [] if job is None else files.checkpoints(session, job.id)
        row = next((row for row in kept if row.step == version.step), None)
        if row is None or job is None:
            raise NotFound(f"The checkpoint of {version.reference} is gone.", code="no_checkpoint")
        return views.checkpoint(row), views.job(job)


def critic_of(version: VersionView) -> CriticFile:
    """Return the checkpoint's file that holds the version's critic. Raises Conflict if it is gone or was never here."""
    if "imported" in version.card:
        sentence = f"{version.reference} was imported without a critic. Name a model that was trained here."
        raise Conflict(sentence, code="critic_gone", errors=(FieldError("/model", sentence),))
    try:
        checkpoint, job = of_version(version)
    except NotFound:
        raise critic_gone(version, "it was deleted") from None
    return CriticFile(get_settings().checkpoints(job.id) / checkpoint.file, checkpoint.sha256)


def critic_gone(version: VersionView, reason: str) -> Conflict:
    """Return the error of a version whose critic cannot be read any more."""
    sentence = (
        f"The critic of {version.reference} is gone: only the checkpoint of step {version.step} has it, and {reason}. "
        "Name a model whose job still has its checkpoint, or train it again."
    )
    return Conflict(sentence, code="critic_gone", errors=(FieldError("/model", sentence),))


def keep(checkpoint: CheckpointView, job_id: str, target: Path) -> None:
    """Link the checkpoint's file to `target`, so that it stays when its job removes it. Raises Conflict."""
    source = get_settings().checkpoints(job_id) / checkpoint.file
    if (how := link_verified(source, checkpoint.sha256, target)) is not None:
        sentence = f"The file of checkpoint {checkpoint.id} (step {checkpoint.step}) is {how}; take another checkpoint."
        raise Conflict(sentence, code="checkpoint_damaged")


def link_verified(source: Path, sha256: str, target: Path) -> str | None:
    """Link a file to `target` durably and verify it. Return None, or what is wrong: "missing" or "damaged"."""
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
    """Make a hard link, or a copy if the file system has no hard links."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    """Copy a file durably; on an error remove the incomplete copy."""
    try:
        shutil.copyfile(source, target)
        with target.open("rb") as copy:
            os.fsync(copy.fileno())
    except OSError:
        target.unlink(missing_ok=True)
        raise
