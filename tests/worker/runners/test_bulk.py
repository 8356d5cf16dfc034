"""Generating with real workers: beside a training, paused and called off, with damage in between."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.creation import generate
from app.services.inference.service import Inference
from app.services.jobs import lifecycle, shards
from app.services.models.source_weights import SOURCE_FILE
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.exports import publish_slow, publish_vivid
from tests.support.jobs import make_job
from tests.support.worker import Process, running_worker, until_state, until_step

S = JobState
LONG = {"n": 8000, "shard": 50}


once = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def ask(**how: Any) -> JobView:
    usual = {"model": None, "n": 30, "classes": None, "seed": 3, "temperature": 1.0, "format": "npz", "shard": 10}
    return lifecycle.create(generate.plan(Inference(get_settings()), **usual | how))


def left(job: JobView) -> list[tuple[str, str]]:
    return [(shard.name, shard.sha256) for shard in shards.recorded(job.id)]


@pytest.mark.long
@once
def test_generating_needs_no_slot_and_shares_the_place_beside(broker: Process) -> None:
    publish_vivid()
    with running_worker():
        training = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100_000)
        until_step(training.id, 1)
        first, second = ask(), ask()
        done = [until_state(job.id, *TERMINAL) for job in (first, second)]
        assert lifecycle.get(training.id).state == S.RUNNING
    assert [job.state for job in done] == [S.SUCCEEDED] * 2, done[0].status_reason
    assert left(first) == left(second), "what was asked decides every byte"
    assert (done[1].started_at or 0) >= (done[0].finished_at or 0), "one after the other"


@once
def test_what_was_called_off_keeps_its_shards_and_nothing_else(broker: Process) -> None:
    publish_slow()
    job = ask(**LONG)
    with running_worker():
        until_step(job.id, 100)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        kept = left(job)
        assert kept
        assert [path.name for path in get_settings().checkpoints(job.id).iterdir()] == [SOURCE_FILE]
        lifecycle.resume(job.id)
        until_step(job.id, lifecycle.get(job.id).step + 50)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
    assert left(job)[: len(kept)] == kept
    assert len(left(job)) > len(kept)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.sampled(1)
@once
@pytest.mark.parametrize("harm", [Path.unlink, cut])
def test_a_shard_that_is_lost_or_damaged_is_made_again_with_those_after_it(
    broker: Process, harm: Callable[[Path], None]
) -> None:
    publish_slow()
    job = ask(n=2000, shard=50)
    with running_worker():
        until_step(job.id, 200)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        expected, store = left(job), Store(get_settings().artifacts)
        harm(store.path(shards.recorded(job.id)[1].sha256))
        lifecycle.resume(job.id)
        done = until_state(job.id, *TERMINAL)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert left(job)[: len(expected)] == expected
    assert all(sha256_of(store.path(sha256)) == sha256 for _, sha256 in left(job))
    rewound = [event.data["to_step"] for event in lifecycle.events(job.id) if event.type == "rewound"]
    assert rewound == [50]


@once
def test_damaged_weights_fail_with_a_sentence(broker: Process) -> None:
    publish_vivid()
    job = ask()
    (get_settings().checkpoints(job.id) / SOURCE_FILE).write_bytes(b"weights")
    with running_worker():
        done = until_state(job.id, *TERMINAL)
    assert done.status_reason is not None
    assert done.status_reason.code == "weights_damaged"
    assert "Create the job again" in done.status_reason.message
