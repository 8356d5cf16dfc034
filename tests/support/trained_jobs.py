"""Jobs whose training has succeeded, without training."""

from typing import Any

from app.core.ids import new_id
from app.core.settings import get_settings
from app.services import idempotency
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import export_file, make_job, put_in, record_report


def succeeded_job(family: str = "cdcgan", dataset: str = "digits", **overrides: Any) -> JobView:
    """Return a succeeded job that published a model and has no checkpoint."""
    job = make_job(family, dataset, **overrides)
    put_in(JobState.SUCCEEDED, job.id)
    return lifecycle.get(job.id)


def extendable_job() -> JobView:
    """Return a succeeded job with a checkpoint at its last step."""
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    write_checkpoint(job.id, 20)
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    return lifecycle.get(job.id)


def job_with_every_trace(sample: bytes = b"png") -> str:
    """Return the id of a succeeded job with everything that a job can leave, under an idempotency key."""
    with idempotency.once(new_id("key"), "a") as turn:
        assert not isinstance(turn, idempotency.Replay)
        job_id = make_job("gan", answer=turn).id
    assert attempts.claim(job_id, "tests") is not None
    record_report(job_id, 1, 10, {"critic": 1.0}, sample)
    write_checkpoint(job_id, 10)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    log = get_settings().logs / f"{job_id}-1.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("words")
    return job_id
