"""Every kind of job computes with the numerics of its first attempt, or reports why it cannot."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from app.services.job_spec import JobPlan, read_spec
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import EVALUATE, GENERATE, TRAIN, TRANSLATE
from models.spec.resolve import resolve
from tests.support.databases import sqlite_only
from tests.support.jobs import events_of
from tests.support.settings import clear_caches
from worker.runners.numerics import agree_numerics

WEIGHTS = {"model": "some@1", "checkpoint": None, "job": None, "step": 5, "sha256": "0" * 64}
SHARDS = {"format": "npz", "shard": 10}
SPEC_MEMBERS: dict[str, dict[str, Any]] = {
    TRAIN: {"devices": 1, "start_from": None, "extended_at": None},
    EVALUATE: {"weights": WEIGHTS, "n": 100, "features": "own", "seed": 0, "figures": None},
    GENERATE: {"weights": WEIGHTS, "n": 10, "classes": None, "seed": 0, "temperature": 1.0, **SHARDS},
    TRANSLATE: {
        "weights": WEIGHTS, "dataset": "digits", "direction": "a2b", "files": None, "input": None, **SHARDS
    },
}  # fmt: skip
"""by kind: the members of its spec beside recipe, family and model name"""


@pytest.fixture(autouse=True)
def _restore_torch() -> Iterator[None]:
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(exact)


def claimed_job(kind: str) -> JobView:
    name, recipe = resolve("gan", dataset="ring8", budget={"steps": 5})
    members = {"kind": kind, "recipe": recipe.model_dump(mode="json"), "family": name, "model_name": "some"}
    spec = read_spec(members | SPEC_MEMBERS[kind])
    job = lifecycle.create(JobPlan(spec, 0))
    assert attempts.claim(job.id, "tests") is not None
    return job


def claim_again(job: JobView, fence: int) -> None:
    attempts.stop(job.id, fence)
    assert attempts.claim(job.id, "tests") is not None


@sqlite_only
@pytest.mark.parametrize("kind", SPEC_MEMBERS)
def test_later_attempts_use_the_threads_of_the_first(
    database: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = claimed_job(kind)
    monkeypatch.setenv("FORGER_THREADS", "3")
    clear_caches()
    first = agree_numerics(job, 1)
    assert (first.threads, torch.get_num_threads()) == (3, 3)
    claim_again(job, 1)
    monkeypatch.setenv("FORGER_THREADS", "1")
    clear_caches()
    assert agree_numerics(job, 2) == first
    assert torch.get_num_threads() == 3
    assert "exactness_lost" not in {event.type for event in lifecycle.events(job.id)}


@sqlite_only
@pytest.mark.parametrize("kind", SPEC_MEMBERS)
def test_numerics_of_another_machine_report_lost_exactness(database: Path, kind: str) -> None:
    job = claimed_job(kind)
    stored = {"device": "cpu", "capability": "ABACUS", "threads": 2, "precision": "fp32", "torch": "0.1"}
    attempts.agree_numerics(job.id, 1, {**stored, "deterministic": True})
    assert agree_numerics(job, 1).threads == 2
    (lost,) = events_of(job.id, "exactness_lost")
    assert "ABACUS" in lost.data["reason"]
