"""Record the shards of a job that generates or translates: the number of pictures, and each finished file.

Every write names the fence, as in `attempts`.
"""

from pathlib import Path

from app.core.settings import get_settings
from app.core.store import Store
from app.db.repositories import files
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import views
from app.services.jobs import attempts
from app.services.views import ArtifactView
from forger.wire import JobState

SHARD = "shard"
"""kind of the artifacts, and of the events"""


def settle_total(job_id: str, fence: int, pictures: int) -> None:
    with unit_of_work() as session:
        rows.write(session, job_id, fence, total=pictures)


def recorded(job_id: str) -> list[ArtifactView]:
    """In their order; `step` is the number of pictures in all up to it."""
    with unit_of_work(read_only=True) as session:
        return [views.artifact(row) for row in files.artifacts(session, job_id, SHARD)]


def record(job_id: str, fence: int, step: int, shard: Path, name: str, media_type: str) -> None:
    """Stores a finished file, with which the job has made `step` pictures, and then names it."""
    size = shard.stat().st_size
    sha256 = Store(get_settings().artifacts).put_file(shard)
    with unit_of_work() as session:
        rows.write(session, job_id, fence, step=rows.no_less(step), **rows.GOT_ON)
        artifact = files.put_artifact(
            session, job_id, name=name, kind=SHARD, media_type=media_type, sha256=sha256, size=size, step=step
        )
        rows.write(session, job_id, fence, (SHARD, {"step": step, "name": name, "artifact": artifact}))


def finish(job_id: str, fence: int) -> None:
    """Ends a job whose shards are all recorded."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence)
        result = {"shards": len(files.artifacts(session, job_id, SHARD))}
        attempts.end(session, job_id, fence, JobState.SUCCEEDED, result=result)
