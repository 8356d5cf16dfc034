"""Published models: names with numbered versions."""

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

__all__ = ["VersionView", "delete", "find", "publish", "versions", "versions_but"]


_VERSION = re.compile(r"[1-9][0-9]{0,8}")
PASSING = ("rolled_back", "checkpoint_damaged")
"""kinds of health events that say nothing of the pictures"""
Mark = tuple[int, int]
"""of a state of things: another one as soon as a version was added or withdrawn"""


class Exporter(Protocol):
    """Makes the export `out` of the checkpoint `saved`."""

    def __call__(self, recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None: ...


def versions() -> list[VersionView]:
    """Every version, newest first."""
    with unit_of_work(read_only=True) as session:
        return [views.version(row) for row in rows.versions(session)]


def versions_but(seen: Mark | None) -> tuple[Mark, list[VersionView] | None]:
    """Every version, newest first, and the mark of this state of things; None instead where it is the mark `seen`."""
    with unit_of_work(read_only=True) as session:
        mark = rows.mark(session)
        return mark, None if mark == seen else [views.version(row) for row in rows.versions(session)]


def find(reference: str) -> VersionView:
    """Return the version that a reference means, of a name the newest. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, *parse(reference))
    if row is None:
        raise absent(reference)
    return views.version(row)


def parse(reference: str) -> tuple[str, int | None]:
    """Return the name and the version that a reference names: `name`, its newest (None), or `name@version`.

    0, which no version has, stands for what is no number.
    """
    name, at, number = reference.partition("@")
    if not at:
        return name, None
    return name, int(number) if _VERSION.fullmatch(number) else 0


def named(reference: str, versions: Iterable[VersionView]) -> list[VersionView]:
    """Return those that the reference names: one version, or all of its name."""
    name, number = parse(reference)
    return [version for version in versions if version.name == name and number in (None, version.version)]


def family_of(version: VersionView) -> str | None:
    """Return the family of the job that trained it, while there is one."""
    if version.job_id is None:
        return None
    with unit_of_work(read_only=True) as session:
        job = job_rows.find(session, version.job_id)
        return None if job is None else job.family


def absent(reference: str) -> NotFound:
    """The error that no model is called so, with the nearest name, or that a model has no such version."""
    return NotFound(lack(reference), code="no_model")


def lack(reference: str) -> str:
    """Say that no model is called so, or that a model has no such version."""
    name, _, number = reference[:80].partition("@")
    with unit_of_work(read_only=True) as session:
        known = rows.numbers(session)
    if name in known and number:
        return f"There is no version '{number}' of '{name}'. There are {listed([str(own) for own in known[name]])}."
    return unknown(name, known, f"There is no model '{name}'")


def publish(name: str, checkpoint_id: str, export: Exporter) -> VersionView:
    """The checkpoint as the next version of that name. Raises NotFound, NoRoom, Conflict where its file is damaged."""
    checkpoint, job = checkpoints.find(checkpoint_id)
    admission.require_room()
    with _scratch() as folder:
        saved, out = folder / "checkpoint.pt", folder / "export.safetensors"
        checkpoints.hold(checkpoint, job.id, saved)
        export(job.recipe, saved, out, threads=(job.numerics or {}).get("threads", 1))
        sha256, size = Store(get_settings().artifacts).put_file(out), out.stat().st_size
    return _register(name, checkpoint, job, sha256, size)


def rebuild(version: VersionView, how: str, export: Exporter) -> None:
    """Make the damaged or missing export of a version again, of its checkpoint, to the byte. Raises Conflict."""
    with _scratch() as folder:
        saved, out = folder / "checkpoint.pt", folder / "export.safetensors"
        try:
            checkpoint, job = checkpoints.of_version(version)
            checkpoints.hold(checkpoint, job.id, saved)
            export(job.recipe, saved, out, threads=(job.numerics or {}).get("threads", 1))
            remade = sha256_of(out) == version.export_sha256
        except (NotFound, Conflict, NotReady):
            remade = False
        if not remade:
            sentence = (
                f"The file of {version.reference} is {how}, and no checkpoint is left to make it of: "
                "train it again, or put the file back from a backup of FORGER_HOME/artifacts."
            )
            raise Conflict(sentence, code="model_damaged")
        Store(get_settings().artifacts).put_file(out)


def delete(name: str, version: int | None = None) -> None:
    """One version, or all of that name; their numbers are not given again. Raises NotFound."""
    store = Store(get_settings().artifacts)
    with unit_of_work() as session:
        removed = rows.remove(session, name, version)
        for sha256 in removed:
            store.renew(sha256)  # so that whoever draws from it this moment can end
    if not removed:
        raise absent(name if version is None else f"{name}@{version}")


def _register(name: str, checkpoint: CheckpointView, job: JobView, sha256: str, size: int) -> VersionView:
    with unit_of_work() as session:
        admission.admit(session, stored=size)
        if job_rows.find(session, job.id, lock=True) is None:
            raise NotFound(f"Job {job.id} was deleted meanwhile, with its checkpoints.", code="no_checkpoint")
        card: dict[str, Any] = {
            "steps": checkpoint.step,
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
        made = rows.find(session, name, version)
        assert made is not None
        return views.version(made)


def _health_at(session: Session, job_id: str, step: int) -> dict[str, Any] | None:
    """What the job had told of its health by that step; None where it had measured nothing."""
    told = [event.data for event in events.of_type(session, job_id, "health") if event.data["step"] <= step]
    last = next((data for data in reversed(told) if data["kind"] not in PASSING), None)
    if last is not None and last["kind"] != "recovered":
        return {"state": "troubled", **last}
    if (measured := points.last_step(session, job_id, "figure/", step)) is None:
        return None
    message = f"No trouble was told by step {step}."
    return {"state": "healthy", "kind": None, "step": measured, "message": message}


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for the time of the block. It lies where the sweep finds it if the process dies."""
    folder = get_settings().checkpoints(new_id("publishing"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
