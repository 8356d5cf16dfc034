"""Keep a model's weights in the folder of a job that uses them."""

from typing import Any

from app.core.errors import Conflict, FieldError, NotFound
from app.core.settings import get_settings
from app.core.store import Store
from app.services.models import checkpoints, registry
from app.services.views import VersionView
from forger.schemas.specs import Weights

SOURCE_FILE = "subject"
"""file in a job's folder with the weights that it uses"""
CRITIC_FILE = "critic.pt"
"""file in a job's folder with the checkpoint of the model's critic, if the job needs it"""
START_FILE = "start.pt"
"""file in a training's folder with the weights from which it starts"""


def find_model(reference: str) -> VersionView:
    """Return the version that name@version or name, its newest, refers to. Raises NotFound that points at /model."""
    try:
        return registry.find(reference)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/model", error.detail),)) from None


def spec_fields(version: VersionView) -> dict[str, Any]:
    """Return the fields of a job's spec that say which model it uses."""
    weights = Weights(
        model=version.reference, checkpoint=None, job=version.job_id, step=version.step, sha256=version.export_sha256
    )
    family = registry.family_of(version)
    return {"recipe": version.recipe, "family": family, "model_name": version.name, "weights": weights}


def keep_critic(version: VersionView, job_id: str) -> None:
    """Link the checkpoint that holds the version's critic into the job's folder. Raises Conflict if it is gone."""
    critic, target = checkpoints.critic_of(version), get_settings().checkpoints(job_id) / CRITIC_FILE
    if (how := checkpoints.link_verified(critic.path, critic.sha256, target)) is not None:
        raise checkpoints.critic_gone(version, f"its file is {how}")


def keep_export(weights: Weights, job_id: str) -> None:
    """Link a model's export into the job's folder, so that it stays when the version is deleted. Raises Conflict."""
    settings = get_settings()
    source, target = Store(settings.artifacts).path(weights.sha256), settings.checkpoints(job_id) / SOURCE_FILE
    if (how := checkpoints.link_verified(source, weights.sha256, target)) is not None:
        raise Conflict(f"The file of {weights.model} is {how}: publish it again.", code="model_damaged")
