"""Generations with real workers: beside a training, paused and cancelled, and with damaged shards or weights."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.core.store import Store, sha256_of
from app.services.jobs import lifecycle, shards
from app.services.models.source_weights import SOURCE_FILE
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.bulk_jobs import run_and_unpack
from tests.support.databases import sqlite_only
from tests.support.exports import publish_slow, publish_vivid
from tests.support.jobs import make_job
from tests.support.model_jobs import make_generation
from tests.support.worker import Process, running_worker, until_state, until_step

S = JobState
LONG = {"n": 8000, "shard": 50}


def shards_of(job: JobView) -> list[tuple[str, str]]:
    return [(shard.name, shard.sha256) for shard in shards.recorded(job.id)]


@pytest.mark.long
@sqlite_only
def test_generations_need_no_training_slot_and_run_one_after_another(broker: Process) -> None:
    publish_vivid()
    with running_worker():
        training = make_job("gan", "ring8", steps=1_000_000, report_every=100_000, checkpoint_every=100_000)
        until_step(training.id, 1)
        first, second = make_generation(), make_generation()
        done = [until_state(job.id, *TERMINAL) for job in (first, second)]
        assert lifecycle.get(training.id).state == S.RUNNING
    assert [job.state for job in done] == [S.SUCCEEDED] * 2, done[0].status_reason
    assert shards_of(first) == shards_of(second), "equal requests give equal bytes"
    assert (done[1].started_at or 0) >= (done[0].finished_at or 0), "they ran at the same time"


@sqlite_only
def test_paused_or_cancelled_generation_keeps_its_shards_and_no_other_files(broker: Process) -> None:
    publish_slow()
    job = make_generation(**LONG)
    with running_worker():
        until_step(job.id, 100)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        shards = shards_of(job)
        assert shards
        assert [path.name for path in get_settings().checkpoints(job.id).iterdir()] == [SOURCE_FILE]
        lifecycle.resume(job.id)
        until_step(job.id, lifecycle.get(job.id).step + 50)
        lifecycle.cancel(job.id)
        until_state(job.id, S.CANCELLED)
    assert shards_of(job)[: len(shards)] == shards
    assert len(shards_of(job)) > len(shards)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.sampled(1)
@sqlite_only
@pytest.mark.parametrize("damage", [Path.unlink, truncate], ids=["lost", "truncated"])
def test_lost_or_damaged_shard_and_those_after_it_are_generated_again(
    broker: Process, damage: Callable[[Path], None]
) -> None:
    publish_slow()
    job = make_generation(n=2000, shard=50)
    with running_worker():
        until_step(job.id, 200)
        lifecycle.pause(job.id)
        until_state(job.id, S.PAUSED)
        expected, store = shards_of(job), Store(get_settings().artifacts)
        damage(store.path(shards.recorded(job.id)[1].sha256))
        lifecycle.resume(job.id)
        done = until_state(job.id, *TERMINAL)
    assert done.state == S.SUCCEEDED, done.status_reason
    assert shards_of(job)[: len(expected)] == expected
    assert all(sha256_of(store.path(sha256)) == sha256 for _, sha256 in shards_of(job))
    rewound = [event.data["to_step"] for event in lifecycle.events(job.id) if event.type == "rewound"]
    assert rewound == [50]


@sqlite_only
def test_generation_with_damaged_weights_fails_with_a_sentence(broker: Process) -> None:
    publish_vivid()
    job = make_generation()
    (get_settings().checkpoints(job.id) / SOURCE_FILE).write_bytes(b"weights")
    with running_worker():
        done = until_state(job.id, *TERMINAL)
    assert done.status_reason is not None
    assert done.status_reason.code == "weights_damaged"
    assert "Create the job again" in done.status_reason.message


@sqlite_only
def test_truncated_generations_are_equal_and_differ_from_one_that_is_not(database: Path) -> None:
    publish_vivid()
    first, second, plain = (
        run_and_unpack(make_generation(n=10, format="zip", truncation=truncation).id) for truncation in (0.5, 0.5, None)
    )
    assert first == second
    assert first.keys() == plain.keys()
    assert all(first[name] != plain[name] for name in plain if name.endswith(".png"))


def test_spec_of_a_generation_without_truncation_is_stored_as_before(database: Path) -> None:
    publish_vivid()
    assert "truncation" not in make_generation().spec.to_json()
