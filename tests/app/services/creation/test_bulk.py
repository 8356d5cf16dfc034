"""Requests to generate and to translate: the model they choose, what is refused, and what the job keeps."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, FencedOut, ForgerError, Invalid, NotFound
from app.core.limits import MAX_GENERATED_PICTURES
from app.core.settings import get_settings
from app.core.store import Store
from app.services.creation import evaluate, generate, translate
from app.services.inference.versions import Versions
from app.services.job_spec import Generate, JobPlan, Translate
from app.services.jobs import attempts, lifecycle, shards
from app.services.models import registry
from app.services.models.source_weights import SOURCE_FILE
from forger.schemas.specs import Weights
from forger.wire import JobState
from models.spec.data import Images
from models.spec.resolve import resolve
from tests.support.job_requests import EVALUATION, GENERATION, TRANSLATION
from tests.support.jobs import export_file, make_job
from tests.support.trained_jobs import succeeded_job
from worker.runners.bulk_pictures import class_counts, round_robin
from worker.runners.bulk_sources import own_size_spec


def generation_plan(**changes: Any) -> JobPlan[Generate]:
    return generate.plan(Versions(), **GENERATION | changes)


def translation_plan(**changes: Any) -> JobPlan[Translate]:
    return translate.plan(Versions(), **TRANSLATION | changes)


def generation_spec(n: int, classes: dict[str, int] | None = None, *, family: str = "cdcgan") -> Generate:
    recipe = resolve(family, dataset="digits")[1]
    weights = Weights(model="m@1", checkpoint=None, job=None, step=1, sha256="0" * 64)
    return Generate(
        recipe=recipe, family=family, model_name="m", weights=weights, n=n, classes=classes, seed=0, temperature=1.0,
        format="zip", shard=10,
    )  # fmt: skip


def test_round_robin_alternates_classes_until_each_has_its_count() -> None:
    assert list(round_robin({3: 1, 7: 3, 9: 2})) == [(3, 0), (7, 0), (9, 0), (7, 1), (9, 1), (7, 2)]
    assert list(round_robin({None: 3})) == [(None, 0), (None, 1), (None, 2)]


def test_number_without_classes_is_split_over_all_classes() -> None:
    counts = class_counts(generation_spec(23))
    assert counts == {label: 3 if label < 3 else 2 for label in range(10)}
    assert Counter(label for label, _ in round_robin(counts)) == counts
    assert class_counts(generation_spec(7))[9] == 0
    assert class_counts(generation_spec(7, family="dcgan")) == {None: 7}
    assert class_counts(generation_spec(7, {"2": 7})) == {2: 7}


def test_request_without_a_model_uses_the_newest_capable_one(database: Path) -> None:
    succeeded_job("gan", "ring8")
    succeeded_job()
    assert generation_plan(n=5).spec.weights.model == "cdcgan-digits@1"
    succeeded_job("dcgan")
    succeeded_job("pix2pix")
    succeeded_job("cyclegan", "day2night")
    assert generation_plan(n=5).spec.weights.model == "dcgan-digits@1"
    plan = generation_plan(classes={"7": 5, "0": 2})
    assert (plan.spec.weights.model, plan.spec.n, plan.spec.classes) == ("cdcgan-digits@1", 7, {"0": 2, "7": 5})
    assert translation_plan().spec.weights.model == "cyclegan-day2night@1"
    assert translation_plan(model="pix2pix-digits").spec.dataset_name == "digits"


@pytest.mark.sampled(quick=3)
@pytest.mark.parametrize(
    ("request_changes", "error", "pointer", "message"),
    [
        ({}, Invalid, "/n", "Name either n"),
        ({"n": 5, "classes": {"7": 5}}, Invalid, "/n", "Name either n"),
        ({"n": 5, "model": "nobody"}, NotFound, None, "There is no model 'nobody'"),
        ({"n": 5, "model": "pix2pix-digits"}, Invalid, "/model", "draws nothing from noise"),
        ({"classes": {"7": 5}, "model": "dcgan-digits"}, Invalid, "/classes", "give `n` instead"),
        ({"classes": {"7": 5, "a/b": 1}}, Invalid, "/classes/a~1b", "There is no class 'a/b'; ask for 0 to 9."),
        ({"classes": {"7": 5, "07": 1}}, Invalid, "/classes/07", "Class 7 is named twice"),
        ({"n": MAX_GENERATED_PICTURES + 1}, Invalid, "/n", r"more than 10000000 \(generated\)"),
        ({"classes": {"1": MAX_GENERATED_PICTURES, "2": 1}}, Invalid, "/classes", r"\(generated\)"),
        ({"n": 10_001}, Invalid, "/shard", r"1001 shards are more than 1000 \(shards\)"),
        ({"n": 5, "model": "gan-ring8"}, Invalid, "/format", "this model makes points: ask for npz"),
    ],
)
def test_invalid_generation_is_refused_at_its_pointer(
    database: Path, request_changes: dict[str, Any], error: type[ForgerError], pointer: str | None, message: str
) -> None:
    for family, dataset in (("gan", "ring8"), ("pix2pix", "digits"), ("dcgan", "digits"), ("cdcgan", "digits")):
        succeeded_job(family, dataset)
    with pytest.raises(error, match=message) as refused:
        generation_plan(**request_changes)
    assert [field.pointer for field in refused.value.errors] == ([] if pointer is None else [pointer])


@pytest.mark.parametrize(
    ("request_changes", "error", "pointer", "message"),
    [
        ({"model": "cdcgan-digits"}, Invalid, "/model", "translates nothing"),
        ({"model": "pix2pix-digits", "direction": "b2a"}, Invalid, "/direction", "translates one way only"),
        ({"dataset": "nothing"}, NotFound, "/dataset", "There is no dataset 'nothing'"),
        ({"dataset": "ring8"}, Invalid, "/dataset", "'ring8' consists of points"),
        ({"shard": 1}, Invalid, "/shard", r"1797 shards are more than 1000 \(shards\)"),
        ({"model": "inpaint-digits"}, Invalid, "/model", "needs a hole in each picture"),
    ],
)
def test_invalid_translation_is_refused_at_its_pointer(
    database: Path, request_changes: dict[str, Any], error: type[ForgerError], pointer: str, message: str
) -> None:
    succeeded_job(), succeeded_job("inpaint"), succeeded_job("pix2pix")
    with pytest.raises(error, match=message) as refused:
        translation_plan(**request_changes)
    assert [field.pointer for field in refused.value.errors] == [pointer]


def test_output_size_is_limited_by_max_bulk_bytes(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded_job("dcgan"), succeeded_job("srgan")
    monkeypatch.setenv("FORGER_MAX_BULK_BYTES", str(256 * 7))
    get_settings.cache_clear()
    assert generation_plan(n=7).spec.format == "zip"
    with pytest.raises(Invalid, match=r"8 times 256 bytes are more than 1792 \(max_bulk_bytes\)"):
        generation_plan(n=8)
    with pytest.raises(Invalid, match=r"1797 times \d+ bytes are more than"):
        translation_plan()


def test_job_keeps_its_weights_and_its_request(database: Path) -> None:
    source = succeeded_job()
    job = lifecycle.create(generation_plan(n=25))
    registry.delete("cdcgan-digits")
    lifecycle.delete(source.id)
    assert (job.kind, job.state, job.total, job.spec.source_job) == ("generate", JobState.QUEUED, 25, source.id)
    assert (job.family, job.dataset, job.model_name) == ("cdcgan", "digits", "cdcgan-digits")
    assert isinstance(job.spec, Generate)
    assert job.spec.weights.model == "cdcgan-digits@1"
    assert job.spec.weights.step == 20
    stored = {name: getattr(job.spec, name) for name in GENERATION if name != "model"}
    assert stored | {"model": None} == GENERATION | {"n": 25}
    kept_file = get_settings().checkpoints(job.id) / SOURCE_FILE
    assert kept_file.read_bytes() == export_file().read_bytes()


def test_dataset_is_read_at_its_own_size_in_the_models_channels(database: Path) -> None:
    succeeded_job("pix2pix", "cifar10")
    job = lifecycle.create(translation_plan(dataset="digits"))
    assert (job.kind, job.dataset, job.recipe.data.dataset, job.total) == ("translate", "digits", "cifar10", 0)
    assert own_size_spec("digits", job.recipe) == Images(dataset="digits", side=16, channels=3, classes=10)


def test_missing_weights_are_refused_without_traces(database: Path) -> None:
    succeeded_job()
    plan = generation_plan(n=5)
    Store(get_settings().artifacts).path(plan.spec.weights.sha256).unlink()
    before = sorted(get_settings().checkpoints("").glob("*"))
    with pytest.raises(Conflict, match="The file of cdcgan-digits@1 is missing"):
        lifecycle.create(plan)
    assert len(lifecycle.list_jobs()[0]) == 1
    assert sorted(get_settings().checkpoints("").glob("*")) == before


def test_generations_translations_and_evaluations_share_a_queue(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeeded_job(), succeeded_job("pix2pix")
    waiting = make_job()
    others = [
        lifecycle.create(generation_plan(n=5)),
        lifecycle.create(evaluate.plan(**EVALUATION | {"model": "cdcgan-digits"})),
        lifecycle.create(translation_plan()),
    ]
    assert [lifecycle.get(job.id).queue_position for job in (waiting, *others)] == [1, 1, 2, 3]
    rung: list[tuple[str, str]] = []
    monkeypatch.setattr("app.services.queue.ring", lambda job_id, kind: rung.append((job_id, kind)))
    for kind in ("train", "evaluate", "translate"):
        lifecycle.ring_oldest(kind)
    assert rung == [(waiting.id, "train"), (others[0].id, "generate"), (others[0].id, "generate")]


def test_shards_are_fenced_and_finish_ends_the_job(database: Path, tmp_path: Path) -> None:
    succeeded_job()
    job = lifecycle.create(generation_plan(n=15))
    assert attempts.claim(job.id, "tests") is not None
    for number, step in enumerate((10, 15)):
        (tmp_path / "part").write_bytes(bytes([number]))
        shards.record(job.id, 1, step, tmp_path / "part", f"shard-000{number}.zip", "application/zip")
    with pytest.raises(FencedOut):
        shards.record(job.id, 2, 15, tmp_path / "part", "shard-0002.zip", "application/zip")
    shards.finish(job.id, 1)
    done = lifecycle.get(job.id)
    assert (done.state, done.step, done.result and done.result.shards) == (JobState.SUCCEEDED, 15, 2)
    assert [(shard.name, shard.step, shard.size) for shard in shards.recorded(job.id)] == [
        ("shard-0000.zip", 10, 1),
        ("shard-0001.zip", 15, 1),
    ]
    events = [event.data for event in lifecycle.events(job.id) if event.type == "shard"]
    assert [(event["step"], event["name"]) for event in events] == [(10, "shard-0000.zip"), (15, "shard-0001.zip")]
