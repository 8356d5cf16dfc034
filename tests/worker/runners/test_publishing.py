"""The long way from the last step to the model: it beats, and obeys a stop."""

from pathlib import Path
from typing import Any

import pytest
import torch

from app.core.settings import get_settings
from app.core.store import sha256_of
from app.services.jobs import lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from models.export import export_checkpoint
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state
from tests.worker.test_worker import once, told

S = JobState
SILENCE_S = 15


def large_job(width: int) -> JobView:
    """One step of training, then 32 batches of 128 large pictures."""
    small: dict[str, Any] = {"data": {"side": 256}, "critic": {"width": 4}, "batch_size": 2, "watch": None}
    return make_job("dcgan", "digits", steps=1, generator={"width": width}, **small)


def exported(job: JobView, folder: Path) -> str:
    """The sha256 of what the job's last checkpoint gives, with as many threads as the job has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        last = get_settings().checkpoints(job.id) / lifecycle.checkpoints(job.id)[0].file
        export_checkpoint(job.recipe, last, folder / "export.safetensors")
    finally:
        torch.set_num_threads(threads)
    return sha256_of(folder / "export.safetensors")


@pytest.mark.long
@once
def test_a_pause_is_obeyed_while_a_model_is_published(broker: Process, tmp_path: Path) -> None:
    job = large_job(width=8)
    with running_worker():
        until(lambda: any(kept.step == 1 for kept in lifecycle.checkpoints(job.id)))
        lifecycle.pause(job.id)
        paused = until_state(job.id, S.PAUSED, *TERMINAL)
        assert paused.state == S.PAUSED, "the statistics of a model take some seconds"
        lifecycle.resume(job.id)
        done = until_state(job.id, *TERMINAL, within_s=180)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.result is not None
    assert done.result.export_sha256 == exported(done, tmp_path)


@pytest.mark.long
@once
def test_a_model_that_takes_longer_than_the_silence_allowed_is_published(broker: Process) -> None:
    job = large_job(width=32)
    with running_worker(FORGER_SILENCE_S=str(SILENCE_S)):
        done = until_state(job.id, *TERMINAL, within_s=1800)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.attempt == 1
    last = next(event.at for event in told(job.id, "checkpoint") if event.data["step"] == 1)
    assert (done.finished_at or 0) - last > SILENCE_S, "else it proves nothing on this machine"
