"""Keep a model's weights in the folder of a job that uses but does not train them."""

from app.core.errors import Conflict, FieldError, NotFound
from app.core.settings import get_settings
from app.core.store import Store
from app.services.models import checkpoints, registry
from app.services.views import VersionView

SUBJECT_FILE = "subject"
"""the weights, in the job's own folder"""


def of_model(reference: str) -> VersionView:
    """By name@version, or by name: the newest. Raises NotFound that points at /model."""
    try:
        return registry.find(reference)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/model", error.detail),)) from None


def keep(model: str, sha256: str, job_id: str) -> None:
    """The export of `model`, a name@version, for the job, whatever becomes of the version. Raises Conflict."""
    settings = get_settings()
    source, target = Store(settings.artifacts).path(sha256), settings.checkpoints(job_id) / SUBJECT_FILE
    if (how := checkpoints.link(source, sha256, target)) is not None:
        raise Conflict(f"The file of {model} is {how}: publish it again.", code="model_damaged")
