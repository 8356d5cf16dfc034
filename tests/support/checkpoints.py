"""Real checkpoints without training: untrained networks, saved as a trainer would save them."""

import copy
from typing import Any

from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from app.services.views import CheckpointView
from models import checkpoint
from models.build import build_critic, build_generator
from tests.support.jobs import make_job


def write_checkpoint(job_id: str, step: int, fence: int = 1) -> CheckpointView:
    """Write and record a checkpoint of a running job."""
    recipe = lifecycle.get(job_id).recipe
    generator = build_generator(recipe)
    networks = {"generator": generator, "critic": build_critic(recipe), "average": copy.deepcopy(generator)}
    state = {"step": step} | {name: network.state_dict() for name, network in networks.items()}
    saved = checkpoint.save(state, get_settings().checkpoints(job_id), fence)
    attempts.record_checkpoint(job_id, fence, step, saved.path.name, saved.sha256, saved.size)
    return next(checkpoint for checkpoint in lifecycle.checkpoints(job_id) if checkpoint.step == step)


def checkpoint_of(family: str, dataset: str, **overrides: Any) -> str:
    """Create a failed job with a checkpoint; return the checkpoint's id."""
    job = make_job(family, dataset, **overrides)
    assert attempts.claim(job.id, "tests") is not None
    checkpoint_id = write_checkpoint(job.id, 5).id
    attempts.fail(job.id, 1, "internal_error", "It broke.")
    return checkpoint_id
