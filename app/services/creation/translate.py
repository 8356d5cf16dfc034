"""Plan a job that translates the pictures of a dataset, or those that the request brings."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import FieldError, Invalid, NotFound
from app.core.settings import get_settings
from app.services.creation.bulk_limits import refuse, too_large
from app.services.datasets import catalog
from app.services.datasets.catalog import Detail
from app.services.inference.service import BACK, TRANSLATION, Inference
from app.services.job_spec import JobPlan, Translate
from app.services.models import registry, source_weights
from app.services.views import VersionView
from forger.schemas.specs import Direction, ShardFormat
from models.durable import fsync
from models.spec.games import Paired

INPUT_FILE = "input.zip"
"""in the job's folder: the pictures that the request brought"""


@dataclass(frozen=True, slots=True)
class Sent:
    """Pictures that a request brought, as a zip."""

    path: Path
    sha256: str
    files: int
    bytes: int


def plan(
    inference: Inference,
    *,
    model: str | None,
    dataset: str | None,
    direction: Direction,
    format: ShardFormat,
    shard: int,
    sent: Sent | None = None,
) -> JobPlan[Translate]:
    """Raises Invalid with a pointer per refusal, NotFound or Conflict where no model can or there is no dataset."""
    version = _version(inference, model, direction)
    if (dataset is None) == (sent is None):
        sentence = "Name a dataset, or send the pictures themselves as parts called file of a form; one of the two."
        raise Invalid(sentence, errors=(FieldError("/dataset", sentence),))
    if dataset is not None:
        stored = _dataset_bytes(version, dataset, format, shard)
    else:
        assert sent is not None
        stored = sent.bytes
        if format == "npz":
            refuse([_own_sizes()])
    spec = Translate(
        recipe=version.recipe,
        family=registry.family_of(version),
        model_name=version.name,
        weights=source_weights.weights_of(version),
        dataset=dataset,
        direction=direction,
        format=format,
        shard=shard,
        files=sent and sent.files,
        input=sent and sent.sha256,
    )

    def hold(job_id: str) -> None:
        source_weights.keep(spec.weights, job_id)
        if sent is not None:
            folder = get_settings().checkpoints(job_id)
            shutil.move(sent.path, folder / INPUT_FILE)
            fsync(folder)

    return JobPlan(spec, stored, hold)


def _version(inference: Inference, model: str | None, direction: Direction) -> VersionView:
    version = inference.able(TRANSLATION, model)[0]
    return version if direction == "a2b" else inference.able(BACK, model)[0]


def _dataset_bytes(version: VersionView, dataset: str, format: ShardFormat, shard: int) -> int:
    """Return about how many bytes the translated dataset takes, uncompressed. Raises Invalid, NotFound."""
    detail = _detail(dataset)
    info, recipe = detail.info, version.recipe
    if info.kind in ("points", "sequences"):
        refuse([FieldError("/dataset", f"'{dataset}' holds {info.kind}, and only pictures can be translated.")])
    each = _area(detail) * recipe.upscaling**2 * getattr(recipe.data, "channels", 3)
    found = too_large("/dataset", info.size, each, shard)
    if info.uploaded and format == "npz":
        found.append(_own_sizes())
    if isinstance(recipe.game, Paired) and recipe.game.task == "masks" and recipe.game.mask == "random":
        sentence = f"{version.reference} must be told where each hole is; send its pictures to /translate one by one."
        found.append(FieldError("/model", sentence))
    refuse(found)
    return info.size * each


def _detail(dataset: str) -> Detail:
    try:
        return catalog.find(dataset)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/dataset", error.detail),)) from None


def _area(detail: Detail) -> int:
    """Return about how many pixels a picture of the dataset has."""
    if detail.report is None:
        return detail.info.side**2
    return int(detail.report.width.median * detail.report.height.median)


def _own_sizes() -> FieldError:
    return FieldError("/format", "Pictures come back at their own sizes, which one array cannot hold: ask for zip.")
