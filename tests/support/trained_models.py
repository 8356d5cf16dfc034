"""Small models that really learn, in this process, published as the result of a job with its checkpoint."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from app.core.settings import get_settings
from app.services.creation import train
from app.services.datasets.catalog import all_datasets
from app.services.jobs import attempts, lifecycle
from models import checkpoint
from models.export import export_checkpoint
from models.spec.resolve import resolve
from tests.support.training import new_trainer
from worker.training.trainer import Trainer

NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}, "watch": None}
"""overrides of small convolutional networks"""


def publish_each(families: Mapping[str, Mapping[str, Any]], steps: int) -> dict[str, str]:
    """Train each family on digits with its overrides, and publish it under its name; return the ids of the jobs."""
    return {
        family: publish_trained(family, "digits", family, steps, **changes)[1] for family, changes in families.items()
    }


def publish_trained(
    family: str,
    dataset: str,
    name: str,
    steps: int,
    *,
    seed: int = 1,
    change: Callable[[Trainer], None] = lambda _: None,
    **overrides: object,
) -> tuple[str, str]:
    """Train so many steps on one thread and publish the result; return name@version and the job's id.

    `change` is called with the trainer at the end, before its checkpoint is written.
    """
    known, recipe = resolve(
        family, dataset=dataset, seed=seed, budget={"steps": steps}, overrides=overrides, datasets=all_datasets()
    )
    job = lifecycle.create(train.of_recipe(recipe, known, name))
    assert attempts.claim(job.id, "tests") is not None
    threads = torch.get_num_threads()
    try:
        trainer = new_trainer(recipe, "fp32")
        for _ in trainer.prepare():
            pass
        for _ in range(steps):
            trainer.advance()
        change(trainer)
        saved = checkpoint.save(trainer.state_dict(), get_settings().checkpoints(job.id), 1)
        attempts.record_checkpoint(job.id, 1, steps, saved.path.name, saved.sha256, saved.size)
        path = get_settings().home / f"{name}.safetensors"
        export_checkpoint(recipe, saved.path, path)
    finally:
        torch.set_num_threads(threads)
    return attempts.finish_training(job.id, 1, path, {}, step=steps, figures={}), job.id
