"""Plan a job that evaluates the weights of a model or of a checkpoint."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, refused
from app.core.settings import get_settings
from app.services.job_spec import Evaluate, JobPlan
from app.services.models import checkpoints, registry, source_weights
from app.services.views import CheckpointView
from forger.schemas.specs import Features, Weights
from models.spec.watch import FIGURES
from models.spec.wording import unknown

KEPT_BYTES = 16 << 20
"""that the report and the picture of an evaluation may come to take"""


def plan(
    *,
    model: str | None,
    checkpoint: str | None,
    n: int,
    features: Features,
    seed: int,
    figures: Sequence[str] | None,
) -> JobPlan[Evaluate]:
    """Raises Invalid with a pointer per refusal, NotFound for weights that are not there."""
    how = {"n": n, "features": features, "seed": seed, "figures": None if figures is None else list(figures)}
    match model, checkpoint:
        case str(), None:
            made = _of_model(model, how)
        case None, str():
            made = _of_checkpoint(checkpoint, how)
        case _:
            sentence = "Name a model or a checkpoint, one of the two."
            raise Invalid(sentence, errors=(FieldError("/model", sentence),))
    if errors := _refusals(made.spec):
        raise refused("The evaluation was refused.", errors, "evaluation_refused")
    return made


def _of_model(reference: str, how: Mapping[str, Any]) -> JobPlan[Evaluate]:
    version = source_weights.of_model(reference)
    weights = source_weights.weights_of(version)
    spec = Evaluate(
        recipe=version.recipe, family=registry.family_of(version), model_name=version.name, weights=weights, **how
    )
    return JobPlan(spec, KEPT_BYTES, partial(source_weights.keep, weights))


def _of_checkpoint(checkpoint_id: str, how: Mapping[str, Any]) -> JobPlan[Evaluate]:
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/checkpoint", error.detail),)) from None
    weights = Weights(model=None, checkpoint=checkpoint.id, job=job.id, step=checkpoint.step, sha256=checkpoint.sha256)
    spec = Evaluate(recipe=job.recipe, family=job.family, model_name=job.model_name, weights=weights, **how)
    return JobPlan(spec, KEPT_BYTES, partial(_hold, checkpoint, job.id))


def _hold(checkpoint: CheckpointView, source_job: str, job_id: str) -> None:
    """The checkpoint may be pruned: its weights stay in the evaluating job's own folder."""
    checkpoints.hold(checkpoint, source_job, get_settings().checkpoints(job_id) / source_weights.SOURCE_FILE)


def _refusals(spec: Evaluate) -> list[FieldError]:
    kind = spec.recipe.data.kind
    found = [
        FieldError(f"/figures/{number}", unknown(name, FIGURES, f"There is no figure '{name}'"))
        for number, name in enumerate(spec.figures or ())
        if name not in FIGURES
    ]
    if spec.features == "inception" and kind in ("points", "sequences"):
        found.append(FieldError("/features", f"Inception looks at pictures, and this model makes {kind}: use 'own'."))
    return found
