"""Publishing after the last step: it sends heartbeats, and obeys a stop."""

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
from tests.support.databases import sqlite_only
from tests.support.jobs import events_of, make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state

S = JobState
SILENCE_S = 15


def large_job(width: int) -> JobView:
    """Create a job with one training step, whose export runs 32 batches of 128 large pictures."""
    small: dict[str, Any] = {"data": {"side": 256}, "critic": {"width": 4}, "batch_size": 2, "watch": None}
    return make_job("dcgan", "digits", steps=1, generator={"width": width}, **small)


def export_again(job: JobView, folder: Path) -> str:
    """Export the job's last checkpoint with one thread, as the job does; return the sha256."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        last = get_settings().checkpoints(job.id) / lifecycle.checkpoints(job.id)[0].file
        export_checkpoint(job.recipe, last, folder / "export.safetensors")
    finally:
        torch.set_num_threads(threads)
    return sha256_of(folder / "export.safetensors")


@pytest.mark.long
@sqlite_only
def test_pause_during_publication_takes_effect_and_the_resumed_export_is_equal(broker: Process, tmp_path: Path) -> None:
    job = large_job(width=8)
    with running_worker():
        until(lambda: any(saved.step == 1 for saved in lifecycle.checkpoints(job.id)))
        lifecycle.pause(job.id)
        paused = until_state(job.id, S.PAUSED, *TERMINAL)
        assert paused.state == S.PAUSED, "it was not paused during the publication, which takes some seconds"
        lifecycle.resume(job.id)
        done = until_state(job.id, *TERMINAL, within_s=180)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.result is not None
    assert done.result.export_sha256 == export_again(done, tmp_path)


@pytest.mark.long
@sqlite_only
def test_publication_may_take_longer_than_the_allowed_silence(broker: Process) -> None:
    job = large_job(width=32)
    with running_worker(FORGER_SILENCE_S=str(SILENCE_S)):
        done = until_state(job.id, *TERMINAL, within_s=1800)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert done.attempt == 1
    last = next(event.at for event in events_of(job.id, "checkpoint") if event.data["step"] == 1)
    assert (done.finished_at or 0) - last > SILENCE_S, "too quick on this machine to show anything"
