"""Limits on queued jobs and stored bytes hold for every kind of request, also for concurrent ones."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from app.core.errors import Busy, NoRoom
from app.core.settings import get_settings
from app.db.repositories.database import stored_bytes
from app.db.session import unit_of_work
from app.db.tables import ModelVersion
from app.services.capacity import admission, estimates
from app.services.creation import evaluate, generate
from app.services.experiments import lifecycle as experiments
from app.services.inference.versions import Versions
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from forger.wire import JobState
from tests.support.checkpoints import write_checkpoint
from tests.support.datasets import upload_dataset
from tests.support.experiments import NOTHING
from tests.support.fake_export import fake_export
from tests.support.job_requests import EVALUATION, GENERATION
from tests.support.jobs import export_file, make_job, put_in
from tests.support.trained_jobs import extendable_job
from tests.support.zips import classes, zipped

QueueingCalls = dict[str, Callable[[], object]]


def set_limits(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(f"FORGER_{name.upper()}", str(value))
    get_settings.cache_clear()


def bytes_counted() -> int:
    with unit_of_work(read_only=True) as session:
        return stored_bytes(session)


def queueing_calls() -> QueueingCalls:
    """Return every call that queues a job on request; what they need is created beforehand."""
    done, paused = extendable_job(), make_job()
    put_in(JobState.PAUSED, paused.id)
    model = done.model_name
    experiment = NOTHING | {"recipe": "gan", "dataset": "ring8", "seeds": 1}
    return {
        "train": lambda: make_job("gan", "ring8"),
        "evaluate": lambda: lifecycle.create(evaluate.plan(**EVALUATION | {"model": model})),
        "generate": lambda: lifecycle.create(generate.plan(Versions(), **GENERATION | {"model": model, "n": 9})),
        "experiment": lambda: experiments.create(None, {}, experiments.plan(**experiment)),
        "extend": lambda: lifecycle.extend(done.id, 5),
        "resume": lambda: lifecycle.resume(paused.id),
    }


def test_every_kind_of_request_is_refused_when_the_queue_is_full(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = queueing_calls()
    make_job()
    set_limits(monkeypatch, max_queued_jobs=1)
    before = len(lifecycle.list_jobs(limit=100)[0])
    for name, call in calls.items():
        with pytest.raises(Busy, match="max_queued_jobs") as refused:
            call()
        assert (refused.value.code, refused.value.retry_after) == ("queue_full", admission.RETRY_AFTER_S), name
    assert len(lifecycle.list_jobs(limit=100)[0]) == before
    folders = {path.name for path in get_settings().checkpoints("").glob("*")}
    assert len(folders) == 1, "refused requests leave no files"


def test_every_kind_of_request_is_queued_while_there_are_places(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = queueing_calls()
    set_limits(monkeypatch, max_queued_jobs=len(calls))
    for call in calls.values():
        call()
    with pytest.raises(Busy):
        make_job()


def test_experiment_is_queued_whole_or_not_at_all(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, max_queued_jobs=4)
    request = NOTHING | {"recipe": "gan", "dataset": "ring8"}
    with pytest.raises(Busy, match="5 more would be more than 4"):
        experiments.create(None, {}, experiments.plan(**request | {"seeds": 5}))
    assert lifecycle.list_jobs()[0] == []
    experiments.create(None, {}, experiments.plan(**request | {"seeds": 4}))


def test_concurrent_requests_fill_the_queue_exactly(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_limits(monkeypatch, max_queued_jobs=10)

    def try_to_queue(number: int) -> bool:
        try:
            make_job("gan", "ring8")
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        queued = sum(pool.map(try_to_queue, range(40)))
    assert queued == len(lifecycle.list_jobs(limit=100)[0]) == 10


def test_job_counts_its_estimate_until_it_ends_and_its_files_afterwards(database: Path) -> None:
    job = make_job()
    estimate = estimates.estimate(job.recipe).disk_bytes
    assert bytes_counted() == estimate
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 20)
    assert bytes_counted() == estimate
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    kept_bytes = checkpoint.size + export_file().stat().st_size
    assert bytes_counted() == kept_bytes < estimate
    extended = lifecycle.extend(job.id, 5)
    assert bytes_counted() == estimates.estimate(extended.recipe).disk_bytes
    lifecycle.cancel(job.id)
    assert bytes_counted() == kept_bytes
    lifecycle.delete(job.id)
    assert bytes_counted() == export_file().stat().st_size, "the published version stays"
    registry.delete(job.model_name)
    assert bytes_counted() == 0


@pytest.mark.parametrize("kind", ["train", "evaluate", "generate", "experiment", "extend"])
def test_request_beyond_max_stored_bytes_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    call = queueing_calls()[kind]
    set_limits(monkeypatch, max_stored_bytes=bytes_counted() + 1)
    before = bytes_counted()
    with pytest.raises(NoRoom, match="max_stored_bytes") as refused:
        call()
    assert (refused.value.code, refused.value.status) == ("storage_full", 507)
    assert bytes_counted() == before


def test_publishing_beyond_max_stored_bytes_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 20)

    registry.publish("mine", checkpoint.id, fake_export)
    with unit_of_work() as session:
        session.execute(update(ModelVersion).values(export_bytes=10**6))
    set_limits(monkeypatch, max_stored_bytes=bytes_counted())
    with pytest.raises(NoRoom, match="max_stored_bytes"):
        registry.publish("mine", checkpoint.id, fake_export)
    assert [version.version for version in registry.versions()] == [1]


def test_upload_beyond_max_stored_bytes_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = classes("cat", "dog")
    size = len(zipped(members))
    upload_dataset("pets", members)
    assert bytes_counted() == size
    set_limits(monkeypatch, max_stored_bytes=2 * size - 1)
    admission.require_room()
    with pytest.raises(NoRoom, match="max_stored_bytes"):
        upload_dataset("animals", members)
    set_limits(monkeypatch, max_stored_bytes=2 * size)
    upload_dataset("animals", members)
    with pytest.raises(NoRoom):
        admission.require_room()


@pytest.mark.parametrize("name", ["prepared/pets.npy", "exported/1f2e-onnx/generator.onnx"])
def test_files_that_can_be_written_again_count_as_stored_bytes(
    database: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    set_limits(monkeypatch, max_stored_bytes=1000)
    admission.require_room(1000)
    path = get_settings().home / "data" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(990))
    admission.require_room(10)
    with pytest.raises(NoRoom, match="990 bytes are kept"):
        admission.require_room(11)
