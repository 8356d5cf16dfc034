"""Create jobs that generate or translate many pictures."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.core.errors import FieldError, Invalid, NotFound, refused
from app.core.limits import GENERATED_MOST, SHARDS_MOST
from app.core.names import GENERATE, TRANSLATE
from app.core.settings import get_settings
from app.services.datasets import catalog
from app.services.datasets.catalog import Detail
from app.services.idempotency import Answer
from app.services.inference.service import BACK, CLASSES, SAMPLING, TRANSLATION, Inference, reference
from app.services.jobs import lifecycle
from app.services.models import registry, source_weights
from app.services.views import JobView, VersionView
from models.durable import sync
from models.spec import wording
from models.spec.data import DataSpec, Points, Sequences
from models.spec.games import Paired
from models.spec.recipe import Recipe

Format = Literal["zip", "npz"]
Direction = Literal["a2b", "b2a"]
Counts = Mapping[int | None, int]
"""how many pictures of each class; of a model without classes the one key is None"""
INPUT_FILE = "input.zip"
"""the pictures that a client sent, in the job's own folder"""
COUNTED = replace(
    CLASSES,
    pointer="/classes",
    lack="knows no classes; say `n` instead of `classes`, or name a model trained with classes",
)


@dataclass(frozen=True, slots=True)
class Generation:
    """The request made whole, as the row keeps it. `model` is name@version, `step` that of its weights.

    `classes` by number; None: as equal as possible over those the model knows.
    """

    model: str
    step: int
    sha256: str
    n: int
    classes: dict[str, int] | None
    seed: int
    truncation: float
    format: Format
    shard: int


@dataclass(frozen=True, slots=True)
class Translation:
    """As above; `direction` says too which pile of a dataset of two is translated.

    The pictures are those of `dataset`, or `files` of the client's own in a zip whose sha256 is `input`.
    """

    model: str
    step: int
    sha256: str
    dataset: str | None
    direction: Direction
    format: Format
    shard: int
    files: int | None = None
    input: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """Pictures that a client sent to be translated, as a zip."""

    path: Path
    sha256: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Bulk:
    asked: Generation | Translation
    version: VersionView
    bytes: int
    """of its pictures, uncompressed; about so many where each has its own size"""
    sent: Sent | None = None

    @property
    def kind(self) -> str:
        return GENERATE if isinstance(self.asked, Generation) else TRANSLATE

    @property
    def dataset(self) -> str:
        """What is translated; of what is generated, and of a client's own pictures, what the model learned from."""
        named = self.asked.dataset if isinstance(self.asked, Translation) else None
        return named or self.version.recipe.data.dataset

    @property
    def family(self) -> str | None:
        return registry.family_of(self.version)


def generate(
    inference: Inference,
    *,
    model: str | None,
    n: int | None,
    classes: Mapping[str, int] | None,
    seed: int,
    truncation: float,
    format: Format,
    shard: int,
) -> Bulk:
    """Raises Invalid with a pointer per refusal, NotFound or Conflict where no model can."""
    if (n is None) == (classes is None):
        sentence = "Say n, how many pictures, or classes, how many of each; one of the two."
        raise Invalid(sentence, errors=(FieldError("/n", sentence),))
    version, numbers = _who_draws(inference, model, classes)
    total = n if n is not None else sum((numbers or {}).values())
    pointer, kind = "/n" if classes is None else "/classes", version.recipe.data.kind
    found = _too_many(pointer, total) or _too_much(pointer, total, _bytes(version.recipe), shard)
    if format == "zip" and kind in ("points", "sequences"):
        found.append(FieldError("/format", f"A zip is of pictures, and this model makes {kind}: ask for npz."))
    _refuse(found)
    asked = Generation(
        **_weights(version), n=total, classes=numbers, seed=seed, truncation=truncation, format=format, shard=shard
    )
    return Bulk(asked, version, total * _bytes(version.recipe))


def translate(
    inference: Inference,
    *,
    model: str | None,
    dataset: str | None,
    direction: Direction,
    format: Format,
    shard: int,
    sent: Sent | None = None,
) -> Bulk:
    """The pictures of a dataset, or those that were sent. Raises as `generate`, and NotFound where there is no such
    dataset.
    """
    version = _who_translates(inference, model, direction)
    if (dataset is None) == (sent is None):
        sentence = "Name a dataset, or send the pictures themselves as parts called file of a form; one of the two."
        raise Invalid(sentence, errors=(FieldError("/dataset", sentence),))
    if sent is not None:
        if format == "npz":
            _refuse([_own_sizes("/format")])
        asked = Translation(
            **_weights(version), dataset=None, direction=direction, format=format, shard=shard, files=sent.files,
            input=sent.sha256,
        )  # fmt: skip
        return Bulk(asked, version, sent.bytes, sent)
    assert dataset is not None
    detail = _known(dataset)
    info = detail.info
    if info.kind in ("points", "sequences"):
        _refuse([FieldError("/dataset", f"'{dataset}' holds {info.kind}, and only pictures can be translated.")])
    game = version.recipe.game
    each = _area(detail) * version.recipe.enlarges**2 * getattr(version.recipe.data, "channels", 3)
    found = _too_much("/dataset", info.size, each, shard)
    if info.uploaded and format == "npz":
        found.append(_own_sizes("/format"))
    if isinstance(game, Paired) and game.task == "masks" and game.mask == "random":
        sentence = f"{reference(version)} must be told where each hole is; send its pictures to /translate one by one."
        found.append(FieldError("/model", sentence))
    _refuse(found)
    asked = Translation(**_weights(version), dataset=dataset, direction=direction, format=format, shard=shard)
    return Bulk(asked, version, info.size * each)


def _who_translates(inference: Inference, model: str | None, direction: Direction) -> VersionView:
    version = inference.able(TRANSLATION, model)[0]
    return version if direction == "a2b" else inference.able(BACK, model)[0]


def _own_sizes(pointer: str) -> FieldError:
    return FieldError(pointer, "Pictures come back at their own sizes, which one array cannot hold: ask for zip.")


def _area(detail: Detail) -> int:
    """Pixels of a picture of the dataset, about."""
    if detail.report is None:
        return detail.info.side**2
    return int(detail.report.width.median * detail.report.height.median)


def create(made: Bulk, answer: Answer | None = None) -> JobView:
    """Raises Conflict where the weights' file is damaged."""

    def hold(job_id: str) -> Mapping[str, Any]:
        source_weights.keep(made.asked.model, made.asked.sha256, job_id)
        if made.sent is not None:
            folder = get_settings().checkpoints(job_id)
            shutil.move(made.sent.path, folder / INPUT_FILE)
            sync(folder)
        return {}

    return lifecycle.make(
        made.kind,
        made.version.recipe,
        hold,
        answer,
        stored_bytes=made.bytes,
        family=made.family,
        dataset=made.dataset,
        model_name=made.version.name,
        asked=asdict(made.asked),
        subject=made.version.job_id,
        total=made.asked.n if isinstance(made.asked, Generation) else made.asked.files or 0,
    )


def counts(asked: Generation, recipe: Recipe) -> Counts:
    """Of each class, by number."""
    if not recipe.classes:
        return {None: asked.n}
    if asked.classes is not None:
        return {int(number): n for number, n in asked.classes.items()}
    each, more = divmod(asked.n, recipe.classes)
    return {number: each + (number < more) for number in range(recipe.classes)}


def in_turn(counts: Counts) -> Iterator[tuple[int | None, int]]:
    """Class and number under its class of every picture: the classes take turns, each until it has its pictures.

    So every shard, and what is there of a job that was cancelled, has as many of each class as it can.
    """
    index, left = 0, [(label, n) for label, n in counts.items() if n > 0]
    while left:
        for label, _ in left:
            yield label, index
        index += 1
        left = [(label, n) for label, n in left if n > index]


def data_of(dataset: str, recipe: Recipe) -> DataSpec:
    """A built-in dataset at its own size, in the model's channels."""
    spec = catalog.find(dataset).info.spec()
    return spec.model_copy(update={"channels": getattr(recipe.data, "channels", 3)})


def _who_draws(
    inference: Inference, model: str | None, classes: Mapping[str, int] | None
) -> tuple[VersionView, dict[str, int] | None]:
    """The newest version that draws, and knows the classes where some are named; and how many of each, by number."""
    able = inference.able(SAMPLING, model)
    if classes is None:
        return able[0], None
    refusal: Invalid | None = None
    for version in inference.able(COUNTED, model):
        try:
            return version, _numbered(inference.class_names(version), classes)
        except Invalid as error:
            refusal = refusal or error
    assert refusal is not None
    raise refusal


def _numbered(names: tuple[str, ...], classes: Mapping[str, int]) -> dict[str, int]:
    """By number, in the order of the numbers. Raises Invalid."""
    found: dict[int, int] = {}
    for wanted, n in classes.items():
        pointer = wording.pointer(("classes", wanted))
        number = catalog.class_number(names, wanted, pointer, other="")
        if number in found:
            _refuse([FieldError(pointer, f"Class {number} is named twice: say once how many of it.")])
        found[number] = n
    return {str(number): found[number] for number in sorted(found)}


def _known(dataset: str) -> Detail:
    try:
        return catalog.find(dataset)
    except NotFound as error:
        raise NotFound(error.detail, code=error.code, errors=(FieldError("/dataset", error.detail),)) from None


def _weights(version: VersionView) -> dict[str, Any]:
    return {"model": reference(version), "step": version.step, "sha256": version.export_sha256}


def _bytes(recipe: Recipe) -> int:
    """Of one example, uncompressed."""
    match recipe.data:
        case Points(dimension=dimension):
            return 4 * dimension
        case Sequences(length=length):
            return 8 * length
        case data:
            return data.channels * data.side**2


def _too_many(pointer: str, pictures: int) -> list[FieldError]:
    if pictures <= GENERATED_MOST:
        return []
    return [FieldError(pointer, f"{pictures} pictures are more than {GENERATED_MOST} (generated). Ask for fewer.")]


def _too_much(pointer: str, pictures: int, each: int, shard: int) -> list[FieldError]:
    """`each` is a picture's bytes."""
    found, most = [], get_settings().max_bulk_bytes
    if pictures * each > most:
        sentence = f"{pictures} times {each} bytes are more than {most} (max_bulk_bytes). Ask for fewer or smaller."
        found.append(FieldError(pointer, sentence))
    if (files := -(-pictures // shard)) > SHARDS_MOST:
        found.append(FieldError("/shard", f"{files} shards are more than {SHARDS_MOST} (shards). Ask for larger ones."))
    return found


def _refuse(found: list[FieldError]) -> None:
    """Raises Invalid, if there is anything."""
    if found:
        raise refused("The job was refused.", found, "bulk_refused")
