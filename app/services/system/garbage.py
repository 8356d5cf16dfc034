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
from app.services.models import portable
from app.services.system import home

log = get_logger(__name__)

GRACE_S = 3600.0
"""age in seconds below which a file stays: files are written before the rows that name them"""


def sweep() -> None:
    """Run one round. Any number of processes may run it at once."""
    _sweep_files()  # first, because on a full disk the keys' rows cannot be deleted before there is room
    idempotency.delete_expired()


def _sweep_files() -> None:
    if not home.is_ours():
        log.warning("home_of_another_database", home=str(get_settings().home), consequence="no file is removed")
        return
    removed = Store(get_settings().artifacts).delete_unreferenced(_referenced, older_than_s=GRACE_S)
    portable.delete_stale(_referenced, GRACE_S)
    catalog.delete_stale_files(GRACE_S)
    orphans = _job_ids_without_row()
    for job_id in orphans:
        remove_files(job_id)
    if removed or orphans:
        log.info("garbage_deleted", files=len(removed), folders=len(orphans))


def _referenced(sha256s: Collection[str]) -> set[str]:
    with unit_of_work(read_only=True) as session:
        return files.referenced(session, sha256s)


def _job_ids_without_row() -> set[str]:
    """Return the ids in old names of folders and logs whose job was deleted or never created."""
    settings = get_settings()
    paths = [*old_entries(settings.checkpoints(""), GRACE_S), *old_entries(settings.logs, GRACE_S)]
    old = {path.name.partition("-")[0] for path in paths}
    ours = {name for name in old if is_id("job", name) or is_id("publishing", name)}
    with unit_of_work(read_only=True) as session:
        return ours - rows.existing(session, ours)
