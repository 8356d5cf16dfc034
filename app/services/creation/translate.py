"""Plan a job that translates the pictures of a dataset, or pictures that the request contains."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import FieldError, Invalid, NotFound
from app.core.settings import get_settings
from app.services.creation.bulk_limits import raise_if_refused, size_refusals
from app.services.datasets import catalog
from app.services.datasets.catalog import CatalogEntry
from app.services.inference.capabilities import BACK_TRANSLATION, TRANSLATION
from app.services.inference.versions import Versions
from app.services.job_spec import JobPlan, Translate
from app.services.models import source_weights
from app.services.views import VersionView
from forger.schemas.specs import Direction, ShardFormat
from models.durable import fsync
from models.spec.games import Paired

INPUT_FILE = "input.zip"
"""file in the job's folder with the pictures that the request contained"""


@dataclass(frozen=True, slots=True)
class SentPictures:
    """The pictures that a request contained, as a zip."""

    path: Path
    sha256: str
    files: int
    bytes: int


def plan(
    versions: Versions,
    *,
    model: str | None,
    dataset: str | None,
    direction: Direction,
    format: ShardFormat,
    shard: int,
    sent: SentPictures | None = None,
) -> JobPlan[Translate]:
    """Plan a job that translates pictures.

    Raises Invalid with a pointer per refusal, NotFound if the dataset does not exist, and NotFound or Conflict if no
    model can translate them.
    """
    version = _version(versions, model, direction)
    if (dataset is None) == (sent is None):
        sentence = "Either name a dataset, or send the pictures themselves as parts called file of a form."
        raise Invalid(sentence, errors=(FieldError("/dataset", sentence),))
    if dataset is not None:
        stored = _dataset_bytes(version, dataset, format, shard)
    else:
        assert sent is not None
        stored = sent.bytes
        if format == "npz":
            raise_if_refused([_npz_refusal()])
    spec = Translate(
        **source_weights.spec_fields(version),
        dataset=dataset,
        direction=direction,
        format=format,
        shard=shard,
        files=sent and sent.files,
        input=sent and sent.sha256,
    )

    def keep_files(job_id: str) -> None:
        source_weights.keep_export(spec.weights, job_id)
        if sent is not None:
            folder = get_settings().checkpoints(job_id)
            shutil.move(sent.path, folder / INPUT_FILE)
            fsync(folder)

    return JobPlan(spec, stored, keep_files)


def _version(versions: Versions, model: str | None, direction: Direction) -> VersionView:
    version = versions.capable(TRANSLATION, model)[0]
    return version if direction == "a2b" else versions.capable(BACK_TRANSLATION, model)[0]


def _dataset_bytes(version: VersionView, dataset: str, format: ShardFormat, shard: int) -> int:
    """Estimate the bytes of the translated dataset, uncompressed. Raises Invalid, NotFound."""
    detail = _detail(dataset)
    info, recipe = detail.info, version.recipe
    if info.kind in ("points", "sequences"):
        raise_if_refused(
            [FieldError("/dataset", f"'{dataset}' consists of {info.kind}, and only pictures can be translated.")]
        )
    picture_bytes = _pixels(detail) * recipe.upscaling**2 * getattr(recipe.data, "channels", 3) * recipe.bits // 8
    refusals = size_refusals("/dataset", info.size, picture_bytes, shard)
    if info.uploaded and format == "npz":
        refusals.append(_npz_refusal())
    if isinstance(recipe.game, Paired) and recipe.game.task == "masks" and recipe.game.mask == "random":
        sentence = f"{version.reference} needs a hole in each picture: send transparent ones to /translate, one by one."
        refusals.append(FieldError("/model", sentence))
    raise_if_refused(refusals)
    return info.size * picture_bytes


def _detail(dataset: str) -> CatalogEntry:
    try:
        return catalog.find(dataset)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/dataset", error.detail),)) from None


def _pixels(detail: CatalogEntry) -> int:
    """Return the typical number of pixels of the dataset's pictures."""
    if detail.report is None:
        return detail.info.side**2
    return int(detail.report.width.median * detail.report.height.median)


def _npz_refusal() -> FieldError:
    return FieldError("/format", "The pictures have different sizes, which one array cannot hold: ask for zip.")
