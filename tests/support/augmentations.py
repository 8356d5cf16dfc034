"""Jobs that augment a dataset, created without HTTP."""

from typing import Any

from app.services.creation import augment
from app.services.jobs import lifecycle
from app.services.views import JobView

AUGMENTATION: dict[str, Any] = {
    "dataset": "digits", "per_class": 6, "model": None, "recipe": None, "budget": None, "overrides": None, "seed": 0,
    "seeds": 3, "classifier_steps": 10,
}  # fmt: skip


def make_augmentation(**request: Any) -> JobView:
    """Create an augmentation; `request` changes members of AUGMENTATION."""
    return lifecycle.create(augment.plan(**AUGMENTATION | request))
