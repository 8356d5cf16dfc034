"""Every kind of job computes with the numerics of its first attempt, or says why it cannot."""

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
from tests.support.settings import forget
from worker.runners.numerics import agree_numerics

WEIGHTS = {"model": "some@1", "checkpoint": None, "job": None, "step": 5, "sha256": "0" * 64}
once = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
SHARDS = {"format": "npz", "shard": 10}
REST: dict[str, dict[str, Any]] = {
    TRAIN: {"devices": 1, "start_from": None, "extended_at": None},
    EVALUATE: {"weights": WEIGHTS, "n": 100, "features": "own", "seed": 0, "figures": None},
    GENERATE: {"weights": WEIGHTS, "n": 10, "classes": None, "seed": 0, "temperature": 1.0, **SHARDS},
    TRANSLATE: {
        "weights": WEIGHTS, "dataset": "digits", "direction": "a2b", "files": None, "input": None, **SHARDS
    },
}  # fmt: skip
"""by kind: what its spec says beside recipe, family and model"""


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(exact)


def a_job(kind: str) -> JobView:
    name, recipe = resolve("gan", dataset="ring8", budget={"steps": 5})
    about = {"kind": kind, "recipe": recipe.model_dump(mode="json"), "family": name, "model_name": "some"}
    spec = read_spec(about | REST[kind])
    job = lifecycle.create(JobPlan(spec, 0))
    assert attempts.claim(job.id, "tests") is not None
    return job


def begin_again(job: JobView, fence: int) -> None:
    attempts.stop(job.id, fence)
    assert attempts.claim(job.id, "tests") is not None


@once
@pytest.mark.parametrize("kind", REST)
def test_the_threads_of_the_first_attempt_stay(database: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = a_job(kind)
    monkeypatch.setenv("FORGER_THREADS", "3")
    forget()
    first = agree_numerics(job, 1)
    assert (first.threads, torch.get_num_threads()) == (3, 3)
    begin_again(job, 1)
    monkeypatch.setenv("FORGER_THREADS", "1")
    forget()
    assert agree_numerics(job, 2) == first
    assert torch.get_num_threads() == 3
    assert "exactness_lost" not in {event.type for event in lifecycle.events(job.id)}


@once
@pytest.mark.parametrize("kind", REST)
def test_numerics_that_cannot_be_had_here_are_an_event(database: Path, kind: str) -> None:
    job = a_job(kind)
    stored = {"device": "cpu", "capability": "ABACUS", "threads": 2, "precision": "fp32", "torch": "0.1"}
    attempts.agree_numerics(job.id, 1, {**stored, "deterministic": True})
    assert agree_numerics(job, 1).threads == 2
    (lost,) = (event for event in lifecycle.events(job.id) if event.type == "exactness_lost")
    assert "ABACUS" in lost.data["reason"]
