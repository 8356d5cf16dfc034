"""Exports without training whose pictures differ nevertheless: plain initial weights would draw only grey."""

from pathlib import Path

import torch

from app.core.settings import get_settings
from app.services.creation import train
from app.services.datasets.catalog import all_datasets
from app.services.jobs import attempts, lifecycle
from models.build import build_generator
from models.export import write_export
from models.recalibration import recalibrate_batchnorm
from models.spec.recipe import Recipe
from models.spec.resolve import resolve


@torch.no_grad()
def write_vivid(path: Path, recipe: Recipe) -> None:
    """Export the recipe's initial weights with calibrated statistics and a last layer scaled up by 10."""
    generator = build_generator(recipe)
    recalibrate_batchnorm(generator, recipe, batches=1)
    last = [weight for weight in generator.parameters() if weight.ndim > 1][-1]
    last.mul_(10)
    write_export(path, recipe, 0, generator)


def publish_vivid(
    family: str = "cdcgan", dataset: str = "digits", name: str | None = None, seed: int = 1, **overrides: object
) -> str:
    """Publish such a network as the result of a job; return name@version."""
    known, recipe = resolve(
        family, dataset=dataset, seed=seed, budget={"steps": 3}, overrides=overrides, datasets=all_datasets()
    )
    job = lifecycle.create(train.of_recipe(recipe, known, name or f"{family}-{dataset}"))
    assert attempts.claim(job.id, "tests") is not None
    path = get_settings().home / "some.safetensors"
    write_vivid(path, recipe)
    return attempts.finish_training(job.id, 1, path, {"note": "untrained"}, step=3, figures={})


def publish_slow(family: str = "cdcgan", width: int = 128) -> str:
    """Publish slow-<family>, which draws at most a thousand digits a second, so that a test can interrupt it."""
    return publish_vivid(family, name=f"slow-{family}", generator={"width": width})
