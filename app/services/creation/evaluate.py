"""Plan a job that evaluates the weights of a model or of a checkpoint."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, invalid_request
from app.core.settings import get_settings
from app.services.datasets import catalog
from app.services.job_spec import Evaluate, JobPlan
from app.services.models import checkpoints, source_weights
from app.services.views import CheckpointView
from forger.schemas.specs import Features
from models.spec.data import Images
from models.spec.datasets import UNKNOWN_DATASET
from models.spec.recipe import Recipe
from models.spec.watch import FIGURES, PROBE
from models.spec.wording import unknown

MAX_RESULT_BYTES = 16 << 20
"""upper bound of the size of an evaluation's report and picture"""


def plan(
    *,
    model: str | None,
    checkpoint: str | None,
    n: int,
    features: Features,
    seed: int,
    figures: Sequence[str] | None,
    curve: bool = False,
) -> JobPlan[Evaluate]:
    """Plan an evaluation. Raises Invalid with a pointer per refusal, NotFound if the weights do not exist."""
    names = None if figures is None else list(figures)
    settings = {"n": n, "features": features, "seed": seed, "figures": names, "curve": curve}
    match model, checkpoint:
        case str(), None:
            job_plan = _plan_of_model(model, settings)
        case None, str():
            job_plan = _plan_of_checkpoint(checkpoint, settings)
        case _:
            sentence = "Name either a model or a checkpoint."
            raise Invalid(sentence, errors=(FieldError("/model", sentence),))
    if errors := [*_refusals(job_plan.spec), *_missing_dataset(job_plan.spec)]:
        raise invalid_request("The evaluation was refused.", errors, "evaluation_refused")
    return job_plan


def _plan_of_model(reference: str, settings: Mapping[str, Any]) -> JobPlan[Evaluate]:
    version = source_weights.find_model(reference)
    spec = Evaluate(**source_weights.spec_fields(version), **settings)

    def keep(job_id: str) -> None:
        source_weights.keep_export(spec.weights, job_id)
        if PROBE in (spec.figures or ()) and spec.recipe.feature_source == "critic":
            source_weights.keep_critic(version, job_id)

    return JobPlan(spec, MAX_RESULT_BYTES, keep)


def _plan_of_checkpoint(checkpoint_id: str, settings: Mapping[str, Any]) -> JobPlan[Evaluate]:
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/checkpoint", error.detail),)) from None
    weights = checkpoints.weights_of(checkpoint, job.id)
    spec = Evaluate(recipe=job.recipe, family=job.family, model_name=job.model_name, weights=weights, **settings)
    return JobPlan(spec, MAX_RESULT_BYTES, partial(_keep_checkpoint, checkpoint, job.id))


def _keep_checkpoint(checkpoint: CheckpointView, source_job: str, job_id: str) -> None:
    """Keep the weights in the evaluating job's folder: the checkpoint may be pruned."""
    checkpoints.keep(checkpoint, source_job, get_settings().checkpoints(job_id) / source_weights.SOURCE_FILE)


def _no_probe(recipe: Recipe) -> str | None:
    """Return why features of the recipe's models cannot be probed; None if they can."""
    if recipe.feature_source is None:
        return "'probe' needs features of single pictures, and this model has none: leave it out."
    assert isinstance(recipe.data, Images)
    if recipe.data.classes < 2:
        return (
            f"'probe' needs a dataset with at least two classes, and '{recipe.data.dataset}' has fewer: leave it out."
        )
    return None


def _missing_dataset(spec: Evaluate) -> list[FieldError]:
    """Return a refusal if an imported model learned from a dataset that this service does not have."""
    name = spec.recipe.data.dataset
    if spec.weights.job is not None or name in catalog.all_datasets():
        return []
    known = "is not known" if name == UNKNOWN_DATASET else f"'{name}' is not here"
    sentence = f"The dataset that {spec.model_name} learned {known}: there is nothing to compare its pictures with."
    return [FieldError("/model", sentence)]


def _refusals(spec: Evaluate) -> list[FieldError]:
    kind = spec.recipe.data.kind
    refusals = [
        FieldError(f"/figures/{number}", unknown(name, FIGURES, f"There is no figure '{name}'"))
        for number, name in enumerate(spec.figures or ())
        if name not in FIGURES
    ]
    if PROBE in (spec.figures or ()) and (reason := _no_probe(spec.recipe)) is not None:
        refusals.append(FieldError(f"/figures/{(spec.figures or []).index(PROBE)}", reason))
    if spec.features == "inception" and kind in ("points", "sequences"):
        refusals.append(FieldError("/features", f"Inception takes pictures, and this model makes {kind}: use 'own'."))
    if spec.curve and not (spec.recipe.generates and kind not in ("points", "sequences")):
        refusals.append(FieldError("/curve", "This model draws no pictures from noise: leave `curve` out."))
    return refusals
