"""Record the shards of a job that generates or translates.

Every write names the attempt's fence and raises FencedOut, as in `attempts`.
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

SHARD_KIND = "shard"
"""kind of the shards' artifacts and type of their events"""


def record_total(job_id: str, fence: int, pictures: int) -> None:
    """Record the number of pictures that the job will write."""
    with unit_of_work() as session:
        rows.write(session, job_id, fence, total=pictures)


def recorded(job_id: str) -> list[ArtifactView]:
    """Return the recorded shards in order; `step` is the number of pictures up to and including the shard."""
    with unit_of_work(read_only=True) as session:
        return [views.artifact(row) for row in files.artifacts(session, job_id, SHARD_KIND)]


def record(job_id: str, fence: int, step: int, shard: Path, name: str, media_type: str) -> None:
    """Store a finished shard and record it; with it the job has written `step` pictures."""
    size = shard.stat().st_size
    sha256 = Store(get_settings().artifacts).put_file(shard)
    with unit_of_work() as session:
        rows.write(session, job_id, fence, step=rows.at_least(step), **rows.RESET_LOSSES)
        artifact = files.put_artifact(
            session, job_id, name=name, kind=SHARD_KIND, media_type=media_type, sha256=sha256, size=size, step=step
        )
        rows.write(session, job_id, fence, (SHARD_KIND, {"step": step, "name": name, "artifact": artifact}))


def finish(job_id: str, fence: int) -> None:
    """End a job whose shards are all recorded."""
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        result = {"shards": len(files.artifacts(session, job_id, SHARD_KIND))}
        attempts.end(session, job_id, fence, JobState.SUCCEEDED, result=result)
