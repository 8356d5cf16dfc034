"""Publish, find, rebuild and delete models: names with numbered versions."""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound, NotReady
from app.core.ids import new_id
from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.db.repositories import events, files, points
from app.db.repositories import jobs as job_rows
from app.db.repositories import models as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.capacity import admission
from app.services.models import checkpoints
from app.services.views import CheckpointView, JobView, VersionView
from models.spec.recipe import Recipe
from models.spec.wording import listed, unknown

__all__ = ["VersionView", "add_imported", "delete", "find", "publish", "versions", "versions_since"]


_VERSION = re.compile(r"[1-9][0-9]{0,8}")
NON_PICTURE_TROUBLE = ("rolled_back", "checkpoint_damaged")
"""kinds of health events that do not concern the pictures"""
ChangeMark = tuple[int, int]
"""a value that changes whenever a version is added or deleted"""


class Exporter(Protocol):
    """A function that writes the export of a checkpoint to the file `out`."""

    def __call__(self, recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None: ...


def versions() -> list[VersionView]:
    """Return every version, newest first."""
    with unit_of_work(read_only=True) as session:
        return [views.version(row) for row in rows.versions(session)]


def versions_since(known: ChangeMark | None) -> tuple[ChangeMark, list[VersionView] | None]:
    """Return the current mark and every version, newest first; None in place of them if the mark is still `known`."""
    with unit_of_work(read_only=True) as session:
        mark = rows.change_mark(session)
        return mark, None if mark == known else [views.version(row) for row in rows.versions(session)]


def find(reference: str) -> VersionView:
    """Return the version that a reference names; for a name alone the newest. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, *parse(reference))
    if row is None:
        raise not_found(reference)
    return views.version(row)


def parse(reference: str) -> tuple[str, int | None]:
    """Split a reference into name and version; the version is None, the newest, if the reference has none.

    Text that is no version number becomes 0, which no version has.
    """
    name, at, number = reference.partition("@")
    if not at:
        return name, None
    return name, int(number) if _VERSION.fullmatch(number) else 0


def matching(reference: str, versions: Iterable[VersionView]) -> list[VersionView]:
    """Return the versions that the reference names: one version, or all of a model."""
    name, number = parse(reference)
    return [version for version in versions if version.name == name and number in (None, version.version)]


def family_of(version: VersionView) -> str | None:
    """Return the family of the job that trained the version; None if the job was deleted or has none."""
    if version.job_id is None:
        return None
    with unit_of_work(read_only=True) as session:
        job = job_rows.find(session, version.job_id)
        return None if job is None else job.family


def not_found(reference: str) -> NotFound:
    """Return the error for a reference that names no version."""
    return NotFound(not_found_sentence(reference), code="no_model")


def not_found_sentence(reference: str) -> str:
    """Say that there is no such model, with the nearest name, or that a model has no such version."""
    name, at, number = reference[:80].partition("@")
    with unit_of_work(read_only=True) as session:
        numbers = rows.numbers(session)
    if name in numbers and at:
        present = listed([str(version) for version in numbers[name]])
        return f"There is no version '{number}' of '{name}'. Existing versions: {present}."
    return unknown(name, numbers, f"There is no model '{name}'")


def publish(name: str, checkpoint_id: str, export: Exporter) -> VersionView:
    """Publish the checkpoint as a model's next version. Raises NotFound, NoRoom, Conflict if its file is damaged."""
    checkpoint, job = checkpoints.find(checkpoint_id)
    admission.require_room()
    with _scratch() as folder:
        checkpoint_file, out = folder / "checkpoint.pt", folder / "export.safetensors"
        checkpoints.keep(checkpoint, job.id, checkpoint_file)
        export(job.recipe, checkpoint_file, out, threads=(job.numerics or {}).get("threads", 1))
        sha256, size = Store(get_settings().artifacts).put_file(out), out.stat().st_size
    return _register(name, checkpoint, job, sha256, size)


def rebuild(version: VersionView, how: str, export: Exporter) -> None:
    """Export a version again from its checkpoint, because its file is damaged or missing.

    Raises Conflict unless the new file is equal to the byte.
    """
    with _scratch() as folder:
        checkpoint_file, out = folder / "checkpoint.pt", folder / "export.safetensors"
        try:
            checkpoint, job = checkpoints.of_version(version)
            checkpoints.keep(checkpoint, job.id, checkpoint_file)
            export(job.recipe, checkpoint_file, out, threads=(job.numerics or {}).get("threads", 1))
            rebuilt = sha256_of(out) == version.export_sha256
        except (NotFound, Conflict, NotReady):
            rebuilt = False
        if not rebuilt:
            sentence = (
                f"The file of {version.reference} is {how}, and it cannot be exported again from a checkpoint: "
                "train or import it again, or put the file back from a backup of FORGER_HOME/artifacts."
            )
            raise Conflict(sentence, code="model_damaged")
        Store(get_settings().artifacts).put_file(out)


def delete(name: str, version: int | None = None) -> None:
    """Delete one version or all versions of a model; their numbers are not used again. Raises NotFound."""
    store = Store(get_settings().artifacts)
    with unit_of_work() as session:
        removed = rows.remove(session, name, version)
        for sha256 in removed:
            store.touch(sha256)  # the sweep spares the file, so that running requests can finish
    if not removed:
        raise not_found(name if version is None else f"{name}@{version}")


def _register(name: str, checkpoint: CheckpointView, job: JobView, sha256: str, size: int) -> VersionView:
    with unit_of_work() as session:
        admission.admit(session, stored=size)
        if job_rows.find(session, job.id, lock=True) is None:
            raise NotFound(f"Job {job.id} was deleted meanwhile, with its checkpoints.", code="no_checkpoint")
        card: dict[str, Any] = {
            "steps": max(job.step, checkpoint.step),
            "from_checkpoint": checkpoint.id,
            "device": (job.numerics or {}).get("device"),
        }
        if (health := _health_at(session, job.id, checkpoint.step)) is not None:
            card["health"] = health
        version = rows.add_version(
            session,
            name,
            job_id=job.id,
            export_sha256=sha256,
            export_bytes=size,
            recipe=job.recipe.model_dump(mode="json"),
            step=checkpoint.step,
            card={**card, **files.last_report(session, job.id, checkpoint.step)},
        )
        row = rows.find(session, name, version)
        assert row is not None
        return views.version(row)


def require_stored(size: int) -> None:
    """Check that `size` more bytes may be stored. Raises NoRoom."""
    with unit_of_work() as session:
        admission.admit(session, stored=size)


def add_imported(name: str, recipe: Recipe, step: int, sha256: str, size: int, card: dict[str, Any]) -> VersionView:
    """Add an export that no job here has trained, and that the store holds, as the next version. Raises NoRoom."""
    with unit_of_work() as session:
        admission.admit(session, stored=size)
        version = rows.add_version(
            session,
            name,
            job_id=None,
            export_sha256=sha256,
            export_bytes=size,
            recipe=recipe.model_dump(mode="json"),
            step=step,
            card=card,
        )
        row = rows.find(session, name, version)
        assert row is not None
        return views.version(row)


def _health_at(session: Session, job_id: str, step: int) -> dict[str, Any] | None:
    """Return the health of the job at a step; None if it had measured nothing by then."""
    troubles = [event.data for event in events.of_type(session, job_id, "health") if event.data["step"] <= step]
    last = next((data for data in reversed(troubles) if data["kind"] not in NON_PICTURE_TROUBLE), None)
    if last is not None and last["kind"] != "recovered":
        return {"state": "troubled", **last}
    if (measured := points.last_step(session, job_id, points.FIGURE_CURVE_PREFIX, step)) is None:
        return None
    message = f"No trouble was reported up to step {step}."
    return {"state": "healthy", "kind": None, "step": measured, "message": message}


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield the path of a temporary folder, which the garbage sweep removes if the process dies."""
    folder = get_settings().checkpoints(new_id("publishing"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
