"""What waits and what is kept has a bound, by whatever way it comes, and however many come at once."""

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
from app.services.datasets.intake import Intake
from app.services.experiments import lifecycle as experiments
from app.services.inference.service import Inference
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.views import JobView
from forger.wire import JobState
from models.spec.recipe import Recipe
from tests.app.services.creation.test_bulk import DRAW
from tests.app.services.creation.test_evaluate import HOW
from tests.support.checkpoints import write_checkpoint
from tests.support.experiments import NOTHING
from tests.support.jobs import export_file, make_job, put_in
from tests.support.zips import classes, zipped

Ways = dict[str, Callable[[], object]]


def limit(monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    for name, value in limits.items():
        monkeypatch.setenv(f"FORGER_{name.upper()}", str(value))
    get_settings.cache_clear()


def stored() -> int:
    with unit_of_work(read_only=True) as session:
        return stored_bytes(session)


def succeeded() -> JobView:
    """With a checkpoint at its last step, so that it can be extended."""
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    write_checkpoint(job.id, 20)
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    return lifecycle.get(job.id)


def ways_into_the_queue() -> Ways:
    """Every way in which a job comes to wait because somebody asked for it; all that they need is made before."""
    done, paused = succeeded(), make_job()
    put_in(JobState.PAUSED, paused.id)
    model = done.model_name
    two_seeds = NOTHING | {"recipe": "gan", "dataset": "ring8", "seeds": 1}
    return {
        "train": lambda: make_job("gan", "ring8"),
        "evaluate": lambda: lifecycle.create(evaluate.plan(**HOW | {"model": model})),
        "generate": lambda: lifecycle.create(
            generate.plan(Inference(get_settings()), **DRAW | {"model": model, "n": 9})
        ),
        "experiment": lambda: experiments.create(None, {}, experiments.plan(**two_seeds)),
        "extend": lambda: lifecycle.extend(done.id, 5),
        "resume": lambda: lifecycle.resume(paused.id),
    }


def test_no_way_leads_into_a_full_queue(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = ways_into_the_queue()
    make_job()
    limit(monkeypatch, max_queued_jobs=1)
    before = len(lifecycle.list_jobs(limit=100)[0])
    for name, ask in ways.items():
        with pytest.raises(Busy, match="max_queued_jobs") as refused:
            ask()
        assert (refused.value.code, refused.value.retry_after) == ("queue_full", admission.RETRY_AFTER_S), name
    assert len(lifecycle.list_jobs(limit=100)[0]) == before
    folders = {path.name for path in get_settings().checkpoints("").glob("*")}
    assert len(folders) == 1, "what was refused leaves no files"


def test_every_way_leads_into_a_queue_with_places(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = ways_into_the_queue()
    limit(monkeypatch, max_queued_jobs=len(ways))
    for ask in ways.values():
        ask()
    with pytest.raises(Busy):
        make_job()


def test_an_experiment_enters_whole_or_not_at_all(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, max_queued_jobs=4)
    asked = NOTHING | {"recipe": "gan", "dataset": "ring8"}
    with pytest.raises(Busy, match="5 more would be more than 4"):
        experiments.create(None, {}, experiments.plan(**asked | {"seeds": 5}))
    assert lifecycle.list_jobs()[0] == []
    experiments.create(None, {}, experiments.plan(**asked | {"seeds": 4}))


def test_a_flood_fills_the_queue_to_the_last_place_and_no_further(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, max_queued_jobs=10)

    def ask(number: int) -> bool:
        try:
            make_job("gan", "ring8")
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        entered = sum(pool.map(ask, range(40)))
    assert entered == len(lifecycle.list_jobs(limit=100)[0]) == 10


def test_a_job_counts_what_it_may_keep_until_it_has_ended_and_then_what_it_keeps(database: Path) -> None:
    job = make_job()
    promised = estimates.of(job.recipe).disk_bytes
    assert stored() == promised
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 20)
    assert stored() == promised
    attempts.finish_training(job.id, 1, export_file(), {}, step=20, figures={})
    kept = checkpoint.size + export_file().stat().st_size
    assert stored() == kept < promised
    longer = lifecycle.extend(job.id, 5)
    assert stored() == estimates.of(longer.recipe).disk_bytes
    lifecycle.cancel(job.id)
    assert stored() == kept
    lifecycle.delete(job.id)
    assert stored() == export_file().stat().st_size, "the published version stays"
    registry.delete(job.model_name)
    assert stored() == 0


@pytest.mark.parametrize("way", ["train", "evaluate", "generate", "experiment", "extend"])
def test_no_promise_goes_beyond_what_may_be_kept(database: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    ask = ways_into_the_queue()[way]
    limit(monkeypatch, max_stored_bytes=stored() + 1)
    before = stored()
    with pytest.raises(NoRoom, match="max_stored_bytes") as refused:
        ask()
    assert (refused.value.code, refused.value.status) == ("storage_full", 507)
    assert stored() == before


def test_no_checkpoint_is_published_where_nothing_more_may_be_kept(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 20)

    def export(recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None:
        out.write_bytes(b"weights")

    registry.publish("mine", checkpoint.id, export)
    with unit_of_work() as session:
        session.execute(update(ModelVersion).values(export_bytes=10**6))
    limit(monkeypatch, max_stored_bytes=stored())
    with pytest.raises(NoRoom, match="max_stored_bytes"):
        registry.publish("mine", checkpoint.id, export)
    assert [version.version for version in registry.versions()] == [1]


def test_no_dataset_is_taken_where_nothing_more_may_be_kept(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped(classes("cat", "dog"))

    def upload(name: str) -> None:
        settings = get_settings()
        settings.incoming.mkdir(parents=True, exist_ok=True)
        path = settings.incoming / "x.zip"
        path.write_bytes(data)
        intake = Intake(settings)
        try:
            intake.take(path, name, "auto")
        finally:
            intake.close()

    upload("pets")
    assert stored() == len(data)
    limit(monkeypatch, max_stored_bytes=2 * len(data) - 1)
    admission.require_room()
    with pytest.raises(NoRoom, match="max_stored_bytes"):
        upload("animals")
    limit(monkeypatch, max_stored_bytes=2 * len(data))
    upload("animals")
    with pytest.raises(NoRoom):
        admission.require_room()


def test_prepared_pictures_count(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, max_stored_bytes=1000)
    admission.require_room()
    settings = get_settings()
    settings.prepared.mkdir(parents=True)
    (settings.prepared / "pets.npy").write_bytes(bytes(1000))
    with pytest.raises(NoRoom):
        admission.require_room()
