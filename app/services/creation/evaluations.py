"""Create jobs that evaluate a model or a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.core.errors import FieldError, Invalid, NotFound, refused
from app.core.names import EVALUATE
from app.core.settings import get_settings
from app.services.idempotency import Answer
from app.services.jobs import lifecycle
from app.services.models import checkpoints, registry, source_weights
from app.services.views import CheckpointView, JobView
from models.spec.recipe import Recipe
from models.spec.watch import FIGURES
from models.spec.wording import unknown

KEPT_BYTES = 16 << 20
"""that the report and the picture of an evaluation may come to take"""


@dataclass(frozen=True, slots=True)
class Asked:
    """The request made whole, as the row keeps it. `model` is name@version; `step` that of the weights."""

    model: str | None
    checkpoint: str | None
    step: int
    sha256: str
    n: int
    features: str
    seed: int
    figures: list[str] | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Evaluation:
    asked: Asked
    recipe: Recipe
    family: str | None
    model_name: str
    subject: str | None
    """the job that trained the weights; None once it is deleted"""
    checkpoint: CheckpointView | None


def plan(
    *,
    model: str | None,
    checkpoint: str | None,
    n: int,
    features: str,
    seed: int,
    figures: Sequence[str] | None,
) -> Evaluation:
    """Raises Invalid with a pointer per refusal, NotFound for weights that are not there."""
    if (model is None) == (checkpoint is None):
        sentence = "Name a model or a checkpoint, one of the two."
        raise Invalid(sentence, errors=(FieldError("/model", sentence),))
    how = {"n": n, "features": features, "seed": seed, "figures": None if figures is None else list(figures)}
    made = _of_model(model, how) if model is not None else _of_checkpoint(checkpoint or "", how)
    if errors := tuple(_refusals(made)):
        raise refused("The evaluation was refused.", errors, "evaluation_refused")
    return made


def create(made: Evaluation, answer: Answer | None = None) -> JobView:
    """Raises Conflict where the weights' file is damaged."""
    return lifecycle.make(
        EVALUATE,
        made.recipe,
        lambda job_id: _hold(made, job_id),
        answer,
        stored_bytes=KEPT_BYTES,
        family=made.family,
        dataset=made.recipe.data.dataset,
        model_name=made.model_name,
        asked=made.asked.as_dict(),
        subject=made.subject,
    )


def _of_model(reference: str, how: Mapping[str, Any]) -> Evaluation:
    version = source_weights.of_model(reference)
    asked = Asked(f"{version.name}@{version.version}", None, version.step, version.export_sha256, **how)
    return Evaluation(asked, version.recipe, registry.family_of(version), version.name, version.job_id, None)


def _of_checkpoint(checkpoint_id: str, how: Mapping[str, Any]) -> Evaluation:
    try:
        checkpoint, job = checkpoints.find(checkpoint_id)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/checkpoint", error.detail),)) from None
    asked = Asked(None, checkpoint.id, checkpoint.step, checkpoint.sha256, **how)
    return Evaluation(asked, job.recipe, job.family, job.model_name, job.id, checkpoint)


def _refusals(made: Evaluation) -> list[FieldError]:
    asked, kind = made.asked, made.recipe.data.kind
    found = [
        FieldError(f"/figures/{number}", unknown(name, FIGURES, f"There is no figure '{name}'"))
        for number, name in enumerate(asked.figures or ())
        if name not in FIGURES
    ]
    if asked.features == "inception" and kind in ("points", "sequences"):
        found.append(FieldError("/features", f"Inception looks at pictures, and this model makes {kind}: use 'own'."))
    return found


def _hold(made: Evaluation, job_id: str) -> Mapping[str, Any]:
    """A version may be withdrawn, a checkpoint pruned: the weights stay in the evaluating job's own folder."""
    if made.checkpoint is not None and made.subject is not None:
        target = get_settings().checkpoints(job_id) / source_weights.SUBJECT_FILE
        checkpoints.hold(made.checkpoint, made.subject, target)
    elif made.asked.model is not None:
        source_weights.keep(made.asked.model, made.asked.sha256, job_id)
    return {}
