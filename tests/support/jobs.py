"""Jobs for the tests of the services, made without HTTP."""

from typing import Any

from app.services import jobs
from app.services.views import JobView
from models.spec.resolve import resolve


def make_job(family: str = "cdcgan", dataset: str = "digits", steps: int = 20, **overrides: Any) -> JobView:
    name, recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": steps}, overrides=overrides or None)
    return jobs.create(family=name, recipe=recipe, dataset=dataset, model_name=f"{family}-{dataset}")
