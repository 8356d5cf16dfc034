"""The health of a published checkpoint is that of its job at its step."""

from pathlib import Path

import pytest

from app.services.jobs import attempts
from app.services.models import registry
from tests.support.checkpoints import write_checkpoint
from tests.support.fake_export import fake_export
from tests.support.jobs import make_job, record_report


@pytest.fixture
def checkpoints(database: Path) -> dict[int, str]:
    """Checkpoint ids by step, of a job that collapsed at step 6 and recovered at step 9."""
    job = make_job("gan", "ring8", watch={"every": 1})
    assert attempts.claim(job.id, "tests") is not None
    record_report(job.id, 1, 3, {"figure/divergence": 0.1}, None)
    attempts.record_event(job.id, 1, "health", {"kind": "collapse", "step": 6, "message": "It repeats itself."})
    attempts.record_event(job.id, 1, "health", {"kind": "checkpoint_damaged", "step": 7, "message": "It is damaged."})
    attempts.record_event(job.id, 1, "health", {"kind": "recovered", "step": 9, "message": "No trouble was seen."})
    return {step: write_checkpoint(job.id, step).id for step in (5, 8, 10)}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("step", "state", "kind"), [(5, "healthy", None), (8, "troubled", "collapse"), (10, "healthy", None)]
)
def test_health_of_a_version_is_that_of_its_step(
    checkpoints: dict[int, str], step: int, state: str, kind: str | None
) -> None:
    health = registry.publish("it", checkpoints[step], fake_export).health
    assert health is not None
    assert (health["state"], health["kind"]) == (state, kind)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_version_before_the_first_evaluation_has_no_health(database: Path) -> None:
    job = make_job("gan", "ring8", watch={"every": 1})
    assert attempts.claim(job.id, "tests") is not None
    assert registry.publish("it", write_checkpoint(job.id, 2).id, fake_export).health is None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_version_of_a_job_without_a_watch_is_unwatched(database: Path) -> None:
    job = make_job("gan", "ring8", watch=None)
    assert attempts.claim(job.id, "tests") is not None
    health = registry.publish("it", write_checkpoint(job.id, 2).id, fake_export).health
    assert health is not None
    assert health["state"] == "unwatched"
