"""Delete unreferenced files and expired idempotency keys."""

from collections.abc import Collection

from app.core.ids import is_id
from app.core.logging import get_logger
from app.core.settings import get_settings
from app.core.store import Store, old_entries
from app.db.repositories import files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import idempotency
from app.services.datasets import catalog
from app.services.jobs.attempt_files import remove_files
from app.services.system import home

log = get_logger(__name__)

GRACE_S = 3600.0
"""Files come before the row that names them; a younger one may still be waiting for its row."""


def sweep() -> None:
    """One round. Safe to run in any number of processes at once."""
    _sweep_files()  # first: on a full disk the rows of the keys can only be removed once there is room
    idempotency.forget_old()


def _sweep_files() -> None:
    if not home.is_ours():
        log.warning("home_of_another_database", home=str(get_settings().home), consequence="no file is removed")
        return
    removed = Store(get_settings().artifacts).sweep(_named, older_than_s=GRACE_S)
    catalog.sweep(GRACE_S)
    orphans = _without_row()
    for job_id in orphans:
        remove_files(job_id)
    if removed or orphans:
        log.info("swept", files=len(removed), folders=len(orphans))


def _named(sha256s: Collection[str]) -> set[str]:
    with unit_of_work(read_only=True) as session:
        return files.named(session, sha256s)


def _without_row() -> set[str]:
    """Names of old folders and logs that belong to no job: it was deleted, or never came to be."""
    settings = get_settings()
    paths = [*old_entries(settings.checkpoints(""), GRACE_S), *old_entries(settings.logs, GRACE_S)]
    old = {path.name.partition("-")[0] for path in paths}
    ours = {name for name in old if is_id("job", name) or is_id("publishing", name)}
    with unit_of_work(read_only=True) as session:
        return ours - rows.existing(session, ours)
