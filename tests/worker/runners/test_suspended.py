"""An attempt that is suspended before any access to a file, and wakes beside its successor, damages nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.services.views import JobView
from tests.support import suspended
from tests.support.checkpoints import checkpoint_of
from tests.support.databases import sqlite_only
from tests.support.exports import publish_vivid
from tests.support.jobs import make_job
from tests.support.model_jobs import make_evaluation, make_generation

PARTS = {"train": 30, "train, rolled back": 30, "evaluate": 5, "generate": 10}
"""by kind of job: the number of parts into which its file accesses are divided"""
OPTIONS: dict[str, Any] = {"batch_size": 16, "report_every": 2, "checkpoint_every": 1}


def make_training(**overrides: Any) -> JobView:
    return make_job("gan", "ring8", steps=6, **OPTIONS | overrides)


def job_factory(kind: str) -> Callable[[], JobView]:
    """Return a function that creates a job of the kind; all its jobs end with equal bytes."""
    match kind:
        case "train":
            return partial(make_training, watch=None)
        case "train, rolled back":
            return partial(make_training, watch={"every": 2, "samples": 16, "policy": "roll_back"})
        case "evaluate":
            checkpoint = checkpoint_of("gan", "ring8", steps=6, **OPTIONS | {"watch": None})
            return partial(make_evaluation, checkpoint=checkpoint, n=64)
        case _:
            publish_vivid()
            return make_generation


@pytest.mark.sampled(1)
@pytest.mark.processes
@sqlite_only
@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in PARTS.items() for part in range(parts)])
def test_suspended_attempt_that_wakes_does_not_change_the_result_of_its_successor(
    database: Path, kind: str, part: int
) -> None:
    create = job_factory(kind)
    expected, accesses = suspended.unbroken(create)
    for first in range(1 + part, len(accesses) + 1, PARTS[kind]):
        second = suspended.draw(f"{kind} {first}", len(accesses))
        result = suspended.overtaken(create, first, second)
        assert result == expected, f"suspended before {accesses[first - 1]}, its successor before access {second}"
