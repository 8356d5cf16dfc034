"""Record the parts and the report of a job that augments a dataset.

Every write names the attempt's fence and raises FencedOut, as in `attempts`. A recorded part is never computed again.
"""

import json
from collections.abc import Mapping
from typing import Any

from app.core.errors import NotFound
from app.core.settings import get_settings
from app.core.store import Store
from app.db.repositories import files, models
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services.job_spec import Augment
from app.services.jobs import attempts, lifecycle
from app.services.jobs.shards import SHARD_KIND
from app.services.views import ArtifactView, JobView
from forger.wire import JobState

PART_KIND, REPORT_KIND = "part", "augmentation"
"""kinds of the artifacts: the result of one part of the work, and the report"""
REPORT_FILE, PICTURES_FILE = "augmentation.json", "augmentation.zip"
EVENT = "augmentation"
"""type of the events that say which part is done"""


def get(job_id: str) -> JobView:
    """Return the job. Raises NotFound, also for a job of another kind."""
    job = lifecycle.get(job_id)
    if not isinstance(job.spec, Augment):
        raise NotFound(
            f"Job {job_id} augments nothing. GET /jobs?kind=augment lists those that do.", code="job_not_found"
        )
    return job


def artifact(job_id: str, name: str) -> ArtifactView | None:
    """Return the job's artifact of this name whose file is intact; None if there is none."""
    found = next((one for one in lifecycle.artifacts(job_id) if one.name == name), None)
    return None if found is None or Store(get_settings().artifacts).defect(found.sha256) else found


def report(job_id: str) -> dict[str, Any] | None:
    """Return the report of a job; None until it has succeeded. Raises Conflict if its file is damaged."""
    found = next(iter(lifecycle.artifacts(job_id, REPORT_KIND)), None)
    if found is None:
        return None
    path = Store(get_settings().artifacts).verified_path(found.sha256, found.name)
    content: dict[str, Any] = json.loads(path.read_bytes())
    return content


def parts(job_id: str) -> dict[str, dict[str, Any]]:
    """Return the results of the parts that are done and intact, by name."""
    store = Store(get_settings().artifacts)
    return {
        part.name: json.loads(store.path(part.sha256).read_bytes())
        for part in lifecycle.artifacts(job_id, PART_KIND)
        if store.defect(part.sha256) is None
    }


def record_part(job_id: str, fence: int, step: int, name: str, result: Mapping[str, Any], message: str) -> None:
    """Store the result of a part, with which the job has reached `step`, and add an event with the sentence."""
    content = json.dumps(result, separators=(",", ":")).encode()
    sha256 = Store(get_settings().artifacts).put_bytes(content)
    with unit_of_work() as session:
        event = (EVENT, {"step": step, "part": name, "message": message})
        rows.write(session, job_id, fence, event, step=rows.at_least(step), **rows.RESET_LOSSES)
        files.put_artifact(
            session,
            job_id,
            name=name,
            kind=PART_KIND,
            media_type="application/json",
            sha256=sha256,
            size=len(content),
            step=step,
        )


def finish(job_id: str, fence: int, step: int, content: bytes) -> None:
    """Store the report, a JSON document, and end the job at its last step; its result names the model it trained."""
    sha256 = Store(get_settings().artifacts).put_bytes(content)
    with unit_of_work() as session:
        rows.lock(session, job_id, fence)
        files.put_artifact(
            session,
            job_id,
            name=REPORT_FILE,
            kind=REPORT_KIND,
            media_type="application/json",
            sha256=sha256,
            size=len(content),
            step=step,
        )
        version = models.of_job(session, job_id)
        result: dict[str, Any] = {"shards": len(files.artifacts(session, job_id, SHARD_KIND))}
        if version is not None:
            reference = f"{version.name}@{version.version}"
            result |= {"model": reference, "export_sha256": version.export_sha256, "step": version.step}
        attempts.end(session, job_id, fence, JobState.SUCCEEDED, step=step, result=result)
