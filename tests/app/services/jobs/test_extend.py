"""Extending a training that has succeeded: when it is allowed, what it changes and what stays."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Conflict, Invalid
from app.core.settings import get_settings
from app.services.job_spec import Train
from app.services.jobs import attempts, lifecycle
from app.services.models import registry
from app.services.views import JobView
from forger.wire import JobState
from tests.support.jobs import export_file, make_job, put_in, record_report

S = JobState


def trained(step: int = 20, **options: Any) -> JobView:
    """Return a job that succeeded at `step` of its 20 steps, with its last checkpoint."""
    job = make_job(**options)
    assert attempts.claim(job.id, "tests") is not None
    path = get_settings().checkpoints(job.id) / "last.pt"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"state")
    attempts.record_checkpoint(job.id, 1, step, path.name, "0" * 64, 5)
    attempts.record_best(job.id, 1, 5, "frechet", 4.0)
    reason = None if step == 20 else ("stopped_early", "Nothing better came.")
    attempts.finish_training(job.id, 1, export_file(), {}, step=5, figures={}, reason=reason)
    return lifecycle.get(job.id)


@pytest.mark.parametrize("step", [20, 12])
def test_extended_job_is_queued_with_the_added_steps(database: Path, step: int) -> None:
    done = trained(step)
    job = lifecycle.extend(done.id, 15)
    assert (job.state, job.step, job.total, job.recipe.budget.steps) == (S.QUEUED, step, step + 15, step + 15)
    assert job.recipe == done.recipe.model_copy(update={"budget": job.recipe.budget}), (
        "the intervals of reports and checkpoints stay"
    )
    assert (job.result, job.status_reason, job.finished_at) == (None, None, None)
    assert isinstance(job.spec, Train)
    assert (job.best, job.spec.extended_at) == (done.best, step)
    extended, state = lifecycle.events(job.id)[-2:]
    assert (extended.type, extended.data["from"], extended.data["to"]) == ("extended", step, step + 15)
    assert "learning rate that had fallen to 0 rises" in extended.data["message"]
    assert state.data == {"state": "queued"}


def test_extended_job_publishes_the_next_version(database: Path) -> None:
    job = lifecycle.extend(trained().id, 5)
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 2, 25, {}, None)
    attempts.finish_training(job.id, 2, export_file(), {}, step=25, figures={})
    assert [(version.version, version.step) for version in registry.versions()] == [(2, 25), (1, 5)]
    done = lifecycle.get(job.id)
    assert done.result is not None
    assert (done.step, done.result.model) == (25, "cdcgan-digits@2")


@pytest.mark.parametrize("state", sorted(set(JobState) - {S.SUCCEEDED}))
def test_only_a_succeeded_job_can_be_extended(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with pytest.raises(Conflict, match=f"is {state}: only a training that has succeeded"):
        lifecycle.extend(job.id, 5)
    assert lifecycle.get(job.id).total == 20


def test_extension_needs_the_last_checkpoint(database: Path) -> None:
    done = trained()
    (get_settings().checkpoints(done.id) / "last.pt").unlink()
    with pytest.raises(Conflict, match=r"its checkpoint of step 20 is missing"):
        lifecycle.extend(done.id, 5)
    unsaved = make_job()
    put_in(S.SUCCEEDED, unsaved.id)
    with pytest.raises(Conflict, match="is missing"):
        lifecycle.extend(unsaved.id, 5)


def test_networks_that_grow_with_the_budget_cannot_be_extended(database: Path) -> None:
    with pytest.raises(Conflict, match="grow over its budget"):
        lifecycle.extend(trained(family="progan").id, 5)


def test_extension_stays_within_max_steps(database: Path) -> None:
    max_steps = get_settings().max_steps
    with pytest.raises(Invalid, match=f"at most {max_steps:,} steps \\(max_steps\\)"):
        lifecycle.extend(trained().id, max_steps - 19)
    assert lifecycle.extend(trained().id, max_steps - 20).total == max_steps


def test_idempotency_reply_is_recorded_with_the_extension(database: Path) -> None:
    recorded = []
    job = lifecycle.extend(trained().id, 5, lambda _, job_id: recorded.append(job_id))
    assert recorded == [job.id]
