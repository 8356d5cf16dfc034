"""Jobs that augment a dataset, created without HTTP."""

from typing import Any

from app.core.settings import get_settings
from app.services.creation import augment
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from tests.support.exports import write_vivid

AUGMENTATION: dict[str, Any] = {
    "dataset": "digits", "per_class": 6, "model": None, "recipe": None, "budget": None, "overrides": None, "seed": 0,
    "seeds": 3, "classifier_steps": 10,
}  # fmt: skip


def make_augmentation(**request: Any) -> JobView:
    """Create an augmentation; `request` changes members of AUGMENTATION."""
    return lifecycle.create(augment.plan(**AUGMENTATION | request))


def make_augmentation_with_generator(**request: Any) -> str:
    """Create an augmentation whose first attempt has published an untrained generator; return the job's id."""
    job, export = make_augmentation(**request), get_settings().home / "some.safetensors"
    claim = attempts.claim(job.id, "tests")
    assert claim is not None
    write_vivid(export, job.recipe)
    attempts.publish_generator(job.id, claim.fence, export, {}, step=job.recipe.budget.steps or 0, figures={})
    attempts.stop(job.id, claim.fence)
    return job.id
