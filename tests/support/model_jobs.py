"""Jobs that use trained weights, created without HTTP: evaluations, generations and translations."""

from typing import Any

from app.services.creation import evaluate, generate, translate
from app.services.inference.versions import Versions
from app.services.jobs import lifecycle
from app.services.views import JobView

EVALUATION: dict[str, Any] = {
    "model": None, "checkpoint": None, "n": 200, "features": "own", "seed": 3, "figures": None,
}  # fmt: skip
GENERATION: dict[str, Any] = {
    "model": None, "n": 30, "classes": None, "seed": 3, "temperature": 1.0, "format": "npz", "shard": 10,
}  # fmt: skip
TRANSLATION: dict[str, Any] = {"model": None, "dataset": None, "direction": "a2b", "format": "zip", "shard": 10}


def make_evaluation(**request: Any) -> JobView:
    """Create an evaluation; `request` changes members of EVALUATION."""
    return lifecycle.create(evaluate.plan(**EVALUATION | request))


def make_generation(**request: Any) -> JobView:
    """Create a generation; `request` changes members of GENERATION. Without a model it uses the newest."""
    return lifecycle.create(generate.plan(Versions(), **GENERATION | request))


def make_translation(**request: Any) -> JobView:
    """Create a translation of a dataset; `request` changes members of TRANSLATION."""
    return lifecycle.create(translate.plan(Versions(), **TRANSLATION | request))
