"""Experiments and measured jobs for tests, made without HTTP and without training."""

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


def make_experiment(**asked: Any) -> ExperimentView:
    """`asked` is what a request says."""
    whole = NOTHING | asked
    return experiments.create(whole["name"], asked, experiments.plan(**whole))


def succeed(job_id: str, figures: Mapping[str, float | None], step: int = 20) -> None:
    """As a worker would end a training whose best checkpoint has these figures."""
    assert attempts.claim(job_id, "tests") is not None
    attempts.finish_training(job_id, 1, export_file(), {}, step=step, figures=figures)


def evaluate(subject: str, figures: Mapping[str, float | None], **provenance: Any) -> str:
    """A job that has measured what another learned; its id."""
    learned = lifecycle.get(subject)
    spec = Evaluate(
        recipe=learned.recipe,
        family=learned.family,
        model_name=learned.model_name,
        weights=Weights(model=None, checkpoint="ckpt", job=subject, step=20, sha256="0" * 64),
        n=100,
        features="own",
        seed=0,
        figures=None,
    )
    made = lifecycle.create(JobPlan(spec, 0))
    assert attempts.claim(made.id, "tests") is not None
    attempts.finish_evaluation(made.id, 1, figures, {**EVALUATED, **provenance}, b"{}")
    return made.id
