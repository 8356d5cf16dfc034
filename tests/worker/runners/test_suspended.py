"""An attempt that is suspended before any touch of a file, and wakes beside its successor, harms nothing."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import get_settings
from app.services.creation import evaluate, generate
from app.services.inference.service import Inference
from app.services.jobs import lifecycle
from app.services.views import JobView
from tests.support import suspended
from tests.support.checkpoints import checkpoint_of
from tests.support.exports import publish_vivid
from tests.support.jobs import make_job

PARTS = {"train": 30, "train, rolled back": 30, "evaluate": 5, "generate": 10}
"""each takes a few of the touches"""
TRAINED: dict[str, Any] = {"batch_size": 16, "report_every": 2, "checkpoint_every": 1}


def training(**overrides: Any) -> JobView:
    return make_job("gan", "ring8", steps=6, **TRAINED | overrides)


def evaluating(checkpoint: str) -> JobView:
    asked: dict[str, Any] = {"model": None, "n": 64, "features": "own", "seed": 3, "figures": None}
    return lifecycle.create(evaluate.plan(checkpoint=checkpoint, **asked))


def generating() -> JobView:
    asked: dict[str, Any] = {"model": None, "n": 30, "classes": None, "seed": 3, "temperature": 1.0, "shard": 10}
    return lifecycle.create(generate.plan(Inference(get_settings()), format="npz", **asked))


def creator(kind: str) -> Callable[[], JobView]:
    """What makes a job of the kind, all with equal bytes."""
    match kind:
        case "train":
            return partial(training, watch=None)
        case "train, rolled back":
            return partial(training, watch={"every": 2, "samples": 16, "policy": "roll_back"})
        case "evaluate":
            kept = checkpoint_of("gan", "ring8", steps=6, **TRAINED | {"watch": None})
            return partial(evaluating, kept)
        case _:
            publish_vivid()
            return generating


@pytest.mark.sampled(1)
@pytest.mark.processes
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "part"), [(kind, part) for kind, parts in PARTS.items() for part in range(parts)])
def test_no_suspended_attempt_touches_its_successors_files(database: Path, kind: str, part: int) -> None:
    create = creator(kind)
    expected, touches = suspended.unbroken(create)
    for first in range(1 + part, len(touches) + 1, PARTS[kind]):
        second = suspended.draw(f"{kind} {first}", len(touches))
        found = suspended.overtaken(create, first, second)
        assert found == expected, f"suspended before {touches[first - 1]}, its successor at {second}"
