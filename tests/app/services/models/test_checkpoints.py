"""Work that begins from a checkpoint: a job that starts with its weights, or a published version."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, Invalid, NotFound
from app.core.settings import get_settings
from app.core.store import sha256_of
from app.services.creation import train
from app.services.job_spec import JobPlan, Train
from app.services.jobs import attempts, lifecycle
from app.services.models import checkpoints, registry
from app.services.views import CheckpointView, JobView
from forger.schemas.specs import Weights
from models.export import export_checkpoint, read_header
from models.spec.recipe import Recipe
from tests.support.checkpoints import write_checkpoint
from tests.support.jobs import make_job, record_report


def source_job(family: str = "gan", step: int = 5) -> tuple[JobView, CheckpointView]:
    """Return a running job and its checkpoint."""
    job = make_job(family)
    assert attempts.claim(job.id, "tests") is not None
    attempts.agree_numerics(job.id, 1, {"threads": 1, "device": "cpu"})
    return lifecycle.get(job.id), write_checkpoint(job.id, step)


def started_job() -> tuple[JobView, CheckpointView, Path]:
    """Return a job that starts from another's checkpoint, that checkpoint, and the job's copy of the file."""
    _, checkpoint = source_job()
    job = make_job("gan", start_from=checkpoint.id)
    return job, checkpoint, get_settings().checkpoints(job.id) / "start.pt"


def damage(checkpoint: CheckpointView, job: JobView) -> None:
    path = get_settings().checkpoints(job.id) / checkpoint.file
    path.write_bytes(path.read_bytes()[:-1])


def export(recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
    """Export as the engine does."""
    assert threads == 1
    export_checkpoint(recipe, checkpoint_file, out)


def start_weights(job: JobView) -> Weights:
    """Return the weights that a training starts with."""
    assert isinstance(job.spec, Train)
    assert job.spec.start_from is not None
    return job.spec.start_from


def make_plan(start_from: str, **changes: Any) -> JobPlan[Train]:
    request: dict[str, Any] = {"dataset": "digits", "seed": 1} | changes
    return train.plan("gan", start_from=start_from, **request)


def test_job_keeps_a_copy_of_its_start_weights(database: Path) -> None:
    job, checkpoint, file = started_job()
    start = start_weights(job)
    assert (start.checkpoint, start.step, start.sha256) == (checkpoint.id, 5, checkpoint.sha256)
    assert sha256_of(file) == checkpoint.sha256
    claim = attempts.claim(job.id, "tests")
    assert claim is not None
    attempts.sweep_files(job.id, claim.fence)
    assert file.exists()


def test_start_weights_survive_pruning_and_deletion_of_the_source(database: Path) -> None:
    job, checkpoint, file = started_job()
    source_id = start_weights(job).job
    assert source_id is not None
    for step in range(6, 10):
        write_checkpoint(source_id, step)  # prunes the checkpoint that the job started from
    attempts.fail(source_id, 1, "internal_error", "It broke.")
    lifecycle.delete(source_id)
    assert sha256_of(file) == checkpoint.sha256
    assert start_weights(lifecycle.get(job.id)) == start_weights(job)


def test_start_weights_are_copied_where_hard_links_fail(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError("no links here") if source.exists() else FileNotFoundError

    monkeypatch.setattr("os.link", no_links)
    _, checkpoint, file = started_job()
    assert sha256_of(file) == checkpoint.sha256


@pytest.mark.parametrize("defect", ["damaged", "missing"])
def test_damaged_or_missing_checkpoint_is_refused_without_traces(database: Path, defect: str) -> None:
    job, checkpoint = source_job()
    if defect == "damaged":
        damage(checkpoint, job)
    else:
        (get_settings().checkpoints(job.id) / checkpoint.file).unlink()
    for use in (
        lambda: make_job("gan", start_from=checkpoint.id),
        lambda: registry.publish("mine", checkpoint.id, export),
    ):
        with pytest.raises(Conflict, match=f"is {defect}; take another") as refused:
            use()
        assert refused.value.code == "checkpoint_damaged"
    assert [listed.id for listed in lifecycle.list_jobs()[0]] == [job.id]
    assert [folder.name for folder in get_settings().checkpoints("").iterdir()] == [job.id]
    assert registry.versions() == []


def test_plan_names_each_setting_that_does_not_fit_the_checkpoint(database: Path) -> None:
    _, checkpoint = source_job()
    assert make_plan(checkpoint.id, seed=2, overrides={"batch_size": 7}).spec.start_from is not None
    with pytest.raises(Invalid) as refused:
        make_plan(checkpoint.id, overrides={"generator": {"hidden": [64]}, "latent": {"size": 9}})
    assert refused.value.code == "start_refused"
    assert [(error.pointer, error.message) for error in refused.value.errors] == [
        ("/start_from", "generator.hidden is [128] in the checkpoint and [64] here."),
        ("/start_from", "latent.size is 100 in the checkpoint and 9 here."),
    ]


@pytest.mark.parametrize("unknown", ["", "ckpt_x", "ckpt_" + "0" * 32, "../etc/passwd", "\x00"])
def test_unknown_checkpoint_is_not_found(database: Path, unknown: str) -> None:
    for look_up in (checkpoints.find, make_plan, lambda checkpoint: registry.publish("mine", checkpoint, export)):
        with pytest.raises(NotFound, match="There is no checkpoint"):
            look_up(unknown)


def test_published_checkpoint_becomes_the_next_version(database: Path) -> None:
    job, checkpoint = source_job()
    record_report(job.id, 1, 4, {"critic": 0.5, "figure/modes": 8.0}, b"png")
    record_report(job.id, 1, 6, {"critic": 0.1}, b"later png")
    first, second = (registry.publish("mine", checkpoint.id, export) for _ in range(2))
    assert (first.name, first.version, second.version, first.step) == ("mine", 1, 2, 5)
    assert first.export_sha256 == second.export_sha256
    (sample, _) = lifecycle.artifacts(job.id, "sample")
    origin = {"steps": 6, "from_checkpoint": checkpoint.id, "device": "cpu"}
    assert first.card | {"health": None} == {**origin, "health": None, "figures": {"modes": 8.0}, "sample": sample.id}
    header = read_header(get_settings().artifacts / first.export_sha256[:2] / first.export_sha256)
    assert (header["step"], header["recipe"]) == (5, job.recipe.model_dump(mode="json"))
    assert len(list(get_settings().checkpoints("").iterdir())) == 1, "no scratch folder is left"


def test_failing_export_leaves_no_file_and_no_version(database: Path) -> None:
    _, checkpoint = source_job()

    def broken(recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
        out.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        registry.publish("mine", checkpoint.id, broken)
    assert len(list(get_settings().checkpoints("").iterdir())) == 1
    assert registry.versions() == []


def test_numbers_of_deleted_versions_are_not_reused(database: Path) -> None:
    _, checkpoint = source_job()
    for _ in range(3):
        registry.publish("mine", checkpoint.id, export)
    registry.delete("mine", 3)
    assert [version.version for version in registry.versions()] == [2, 1]
    assert registry.publish("mine", checkpoint.id, export).version == 4
    registry.delete("mine")
    assert registry.versions() == []
    assert registry.publish("mine", checkpoint.id, export).version == 5
    for missing in (("mine", 1), ("mine", 6), ("yours", None)):
        with pytest.raises(NotFound, match=r"There is no (version|model)"):
            registry.delete(*missing)
