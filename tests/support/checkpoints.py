"""Real checkpoints without training: untouched players as a trainer would save them."""

import copy
from typing import Any

from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import CheckpointView
from models import checkpoint
from models.build import build_critic, build_generator
from tests.support.jobs import make_job


def write_checkpoint(job_id: str, step: int, fence: int = 1) -> CheckpointView:
    """A checkpoint of a running job, on disk and recorded."""
    recipe = lifecycle.get(job_id).recipe
    generator = build_generator(recipe)
    networks = {"generator": generator, "critic": build_critic(recipe), "average": copy.deepcopy(generator)}
    state = {"step": step} | {name: network.state_dict() for name, network in networks.items()}
    saved = checkpoint.save(state, get_settings().checkpoints(job_id), fence)
    attempts.record_checkpoint(job_id, fence, step, saved.path.name, saved.sha256, saved.size)
    return next(kept for kept in lifecycle.checkpoints(job_id) if kept.step == step)


def checkpoint_of(family: str, dataset: str, **overrides: Any) -> str:
    """The id of a checkpoint of a job that trains nothing any more."""
    job = make_job(family, dataset, **overrides)
    assert attempts.claim(job.id, "tests") is not None
    kept = write_checkpoint(job.id, 5)
    attempts.fail(job.id, 1, "internal_error", "It broke.")
    return kept.id
