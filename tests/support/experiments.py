"""Experiments and measured jobs, created without HTTP and without training."""

from collections.abc import Mapping
from typing import Any

from app.services.experiments import lifecycle as experiments
from app.services.experiments.lifecycle import ExperimentView
from app.services.job_spec import Evaluate, JobPlan
from app.services.jobs import attempts, lifecycle
from forger.schemas.specs import Weights
from tests.support.jobs import export_file

EVALUATED = {"features": "own:abc", "n_real": 100, "n_fake": 100, "resize": "area", "split": "test", "seed": 0}
RING: dict[str, Any] = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 60}}
NOTHING: dict[str, Any] = {
    "name": None,
    "recipe": None,
    "dataset": None,
    "budget": None,
    "overrides": None,
    "cases": None,
    "grid": None,
    "seeds": 1,
    "model": None,
}


def make_experiment(**request: Any) -> ExperimentView:
    """Create the experiment that a request with these members describes."""
    members = NOTHING | request
    return experiments.create(members["name"], request, experiments.plan(**members))


def succeed(job_id: str, figures: Mapping[str, float | None], step: int = 20) -> None:
    """End a training as a worker would: its best checkpoint has these figures."""
    assert attempts.claim(job_id, "tests") is not None
    attempts.finish_training(job_id, 1, export_file(), {}, step=step, figures=figures)


def evaluate(job_id: str, figures: Mapping[str, float | None], **provenance: Any) -> str:
    """Create an evaluation of the job that has succeeded with these figures; return its id."""
    training = lifecycle.get(job_id)
    spec = Evaluate(
        recipe=training.recipe,
        family=training.family,
        model_name=training.model_name,
        weights=Weights(model=None, checkpoint="ckpt", job=job_id, step=20, sha256="0" * 64),
        n=100,
        features="own",
        seed=0,
        figures=None,
    )
    evaluation = lifecycle.create(JobPlan(spec, 0))
    assert attempts.claim(evaluation.id, "tests") is not None
    attempts.finish_evaluation(evaluation.id, 1, figures, {**EVALUATED, **provenance}, b"{}")
    return evaluation.id
