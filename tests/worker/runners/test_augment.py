"""Augmentations of digits: with a real worker, and stopped in each of their parts."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from app.core.settings import get_settings
from app.core.store import Store
from app.services.jobs import attempts, augmentations, lifecycle
from app.services.models import registry
from app.services.views import JobView
from forger.wire import ARMS, TERMINAL, JobState
from tests.support.augmentations import make_augmentation, make_augmentation_with_generator
from tests.support.databases import sqlite_only
from tests.support.worker import Process, running_worker, until_state, until_step
from worker.augmentation import splits
from worker.runners.main import build_runner
from worker.runners.supervisor_link import StopRequested

S = JobState
STEPS, PER_CLASS = 30, 4
REQUEST: dict[str, Any] = {
    "budget": {"steps": STEPS}, "overrides": {"checkpoint_every": 10, "watch": None}, "per_class": PER_CLASS,
}  # fmt: skip
FILTERED = STEPS + 10 * PER_CLASS
"""the step at which every class is filtered"""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute on one thread: a training pins this process to a core, and later jobs would choose fewer threads."""
    monkeypatch.setenv("FORGER_THREADS", "1")


class StoppingLink:
    """A link to a supervisor that orders a stop once the job has reached a step; None: never."""

    remaining_s: float | None = None

    def __init__(self, stop_at: int | None = None) -> None:
        self.order: str | None = None
        self._stop_at = stop_at

    def beat(self, step: int, *, now: bool = False) -> None:
        if self._stop_at is not None and step >= self._stop_at:
            self.order = "release"

    def check_stop(self, step: int, *, now: bool = False) -> None:
        self.beat(step)
        if self.order is not None:
            raise StopRequested


def run_attempt(job_id: str, stop_at: int | None = None) -> JobView:
    """Run the next attempt of a queued job in this process."""
    claim = attempts.claim(job_id, "tests")
    assert claim is not None
    build_runner(lifecycle.get(job_id), claim.fence, StoppingLink(stop_at)).run()  # type: ignore[arg-type]
    return lifecycle.get(job_id)


def result_files(job_id: str) -> dict[str, str]:
    """The sha256 of the report, the pictures and every part, by name."""
    kinds = (augmentations.PART_KIND, augmentations.REPORT_KIND, "shard")
    return {one.name: one.sha256 for one in lifecycle.artifacts(job_id) if one.kind in kinds}


def pictures_of(job_id: str) -> ZipFile:
    (zipped,) = lifecycle.artifacts(job_id, "shard")
    return ZipFile(Store(get_settings().artifacts).path(zipped.sha256))


@sqlite_only
def test_augmentation_stopped_in_each_part_goes_on_and_gives_equal_bytes(database: Path) -> None:
    whole = make_augmentation(**REQUEST)
    done = run_attempt(whole.id)
    assert (done.state, done.step) == (S.SUCCEEDED, done.total), done.status_reason
    assert done.total == FILTERED + len(ARMS) * 3 * 10

    stopped = make_augmentation(**REQUEST)
    for stop_at in (STEPS // 2, STEPS + PER_CLASS, FILTERED + 25):
        before = {one.name: one.created_at for one in lifecycle.artifacts(stopped.id, augmentations.PART_KIND)}
        assert run_attempt(stopped.id, stop_at).state == S.QUEUED
        after = {one.name: one.created_at for one in lifecycle.artifacts(stopped.id, augmentations.PART_KIND)}
        assert before.items() <= after.items(), "a recorded part is not computed again"
    assert run_attempt(stopped.id).state == S.SUCCEEDED
    assert result_files(stopped.id) == result_files(whole.id), "equal requests give equal bytes"


@sqlite_only
def test_report_counts_every_picture_and_the_zip_holds_the_kept_ones_with_their_labels(database: Path) -> None:
    job = run_attempt(make_augmentation_with_generator(**REQUEST))
    assert job.state == S.SUCCEEDED, job.status_reason
    report = augmentations.report(job.id)
    assert report is not None
    assert (report["training"], report["held_out"]) == (1442, 355)
    assert report["training"] + report["held_out"] == 1797
    kept = [one["kept"] for one in report["classes"]]
    for one in report["classes"]:
        left_out = one["disagreed"] + one["near_training"] + one["near_generated"]
        assert one["generated"] == one["kept"] + left_out
        assert one["recall_before"]["mean"] is not None
        assert one["recall_after"]["mean"] is not None
    assert 0 < sum(kept) < 10 * PER_CLASS
    assert sorted(report["accuracy"]) == sorted(ARMS)
    assert all(len(accuracy["values"]) == 3 for accuracy in report["accuracy"].values())
    assert report["useful"] == (report["gains"]["both"]["low"] > 0)
    with pictures_of(job.id) as archive:
        names = archive.namelist()
        rows = archive.read("labels.csv").decode().splitlines()
    assert (len(names), len(rows)) == (sum(kept) + 1, sum(kept) + 1)
    assert [sum(name.endswith(f"_{label}.png") for name in names) for label in range(10)] == kept


@sqlite_only
def test_filter_is_done_before_a_held_out_picture_is_read(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, read = make_augmentation_with_generator(**REQUEST), splits.held_out_part
    parts_when_read: list[int] = []

    def watched(data: Any) -> Any:
        parts_when_read.append(len(augmentations.parts(job_id)))
        return read(data)

    monkeypatch.setattr(splits, "held_out_part", watched)
    assert run_attempt(job_id).state == S.SUCCEEDED
    assert parts_when_read == [10], "one part for each class, and no classifier yet"


@sqlite_only
def test_damaged_part_is_computed_again_with_the_same_result(database: Path) -> None:
    job_id = make_augmentation_with_generator(**REQUEST)
    run_attempt(job_id, FILTERED + 25)
    store, expected = Store(get_settings().artifacts), result_files(job_id)
    store.path(expected["class-00003.json"]).write_bytes(b"{}")
    assert run_attempt(job_id).state == S.SUCCEEDED
    assert expected.items() <= result_files(job_id).items()
    assert store.defect(expected["class-00003.json"]) is None


@sqlite_only
def test_worker_pauses_resumes_and_cancels_an_augmentation_and_another_uses_its_model(broker: Process) -> None:
    first = make_augmentation(**REQUEST)
    with running_worker():
        until_step(first.id, 10)
        lifecycle.pause(first.id)
        until_state(first.id, S.PAUSED)
        lifecycle.resume(first.id)
        done = until_state(first.id, *TERMINAL)
        assert done.state == S.SUCCEEDED, done.status_reason
        second = make_augmentation(per_class=PER_CLASS, classifier_steps=5000, seed=0)
        until_step(second.id, 10 * PER_CLASS + 20)
        lifecycle.cancel(second.id)
        assert until_state(second.id, *TERMINAL).state == S.CANCELLED
    assert done.result is not None
    assert done.result.model == "cdcgan-digits-augment@1"
    assert done.result.shards == 1
    assert registry.find("cdcgan-digits-augment").export_sha256 == done.result.export_sha256
    assert second.spec.kind == "augment"
    assert second.spec.weights is not None
    assert second.spec.weights.model == "cdcgan-digits-augment@1"
    assert augmentations.report(second.id) is None
    drawn, again = (json.dumps(augmentations.parts(job.id)["class-00007.json"]) for job in (first, second))
    assert drawn == again, "the model is the same, and so is the filter"
