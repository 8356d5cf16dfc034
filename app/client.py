"""The Python client: `Forger().train("cdcgan", dataset="mnist").wait()`, then `Forger().sample(class_=7)`.

The command line is made of it. A refusal is a ForgerProblem, a service that does not answer an Unreachable; the text
of both is a sentence.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from app.core.settings import Settings
from app.remote import address
from app.remote.connection import UPLOAD, Connection, once
from app.remote.events import CheckpointSaved, Event, Metrics, Rewound, SampleDrawn, ShardWritten, StateChanged, Told
from app.remote.experiment import Experiment
from app.remote.files import archive
from app.remote.job import Job
from app.remote.picture import Picture
from app.remote.problems import ForgerProblem, Unreachable
from app.schemas.catalog import (
    DatasetDetail,
    DatasetList,
    DatasetOut,
    LimitList,
    LimitOut,
    ModelDetail,
    ModelList,
    ModelOut,
    RecipeList,
    RecipeOut,
    VersionOut,
)
from app.schemas.compare import ComparisonOut
from app.schemas.experiments import ExperimentDetail, ExperimentOut, ExperimentPage, ExperimentPlanOut
from app.schemas.jobs import JobOut, JobPage, PlanOut
from app.schemas.samples import Format

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "CheckpointSaved",
    "Event",
    "Experiment",
    "Forger",
    "ForgerProblem",
    "Job",
    "Metrics",
    "Picture",
    "Rewound",
    "SampleDrawn",
    "ShardWritten",
    "StateChanged",
    "Told",
    "Unreachable",
]

Json = Mapping[str, Any]
Layout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
PAGE = 50
TOGETHER = 20
"""pictures of one's own in one file of those that a job leaves: what is done is not done again after a fault"""


class Asked(TypedDict, total=False):
    """What a job may be asked beside its recipe; None is as if it were not named."""

    dataset: str | None
    seed: int | None
    budget: Json | None  # {"steps": n}, {"epochs": n} or {"minutes": n}
    overrides: Json | None  # of a family's recipe (RFC 7396)
    model: str | None  # the name it publishes
    start_from: str | None  # a checkpoint's id
    resources: Json | None  # {"devices": n}: that share out every batch


class Measured(TypedDict, total=False):
    """How an evaluation is made; None is as if it were not named."""

    checkpoint: str | None  # a checkpoint's id, instead of a model
    n: int | None  # examples made
    features: Literal["own", "inception"] | None
    seed: int | None
    figures: list[str] | None  # only these


class Packed(TypedDict, total=False):
    """In which files many pictures come; None is as if it were not named."""

    format: Literal["zip", "npz"] | None
    shard: int | None  # pictures in one file


class Taken(TypedDict, total=False):
    """How the pictures of an upload are taken; None is as if it were not named."""

    fit: Literal["crop", "pad", "tiles"] | None  # of what is not square
    depth: Literal["auto", "10", "12", "14", "16"] | None  # bits that count in samples of 16
    labels: Literal["auto", "none", "a", "b"] | None  # the pile that is label maps


class Filters(TypedDict, total=False):
    """Which jobs; None is as if it were not named."""

    state: str | None
    family: str | None
    dataset: str | None
    model: str | None
    kind: str | None


class Forger:
    """One service. Without `url`: FORGER_URL, else the service that runs from FORGER_HOME, else FORGER_HOST and
    FORGER_PORT, and where none of them is set port 8000 here.

    `key` is that of FORGER_API_KEY unless given.
    """

    def __init__(self, url: str | None = None, key: str | None = None) -> None:
        settings = Settings()
        if key is None and settings.api_key is not None:
            key = settings.api_key.get_secret_value()
        self._connection = Connection(address.Place(url, address.GIVEN) if url else address.find(settings), key)

    def __enter__(self) -> "Forger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Forger at {self.url}>"

    @property
    def url(self) -> str:
        return self._connection.url

    def close(self) -> None:
        self._connection.close()

    def train(self, recipe: str | Json, *, idempotency_key: str | None = None, **asked: Unpack[Asked]) -> Job:
        """A new job from a family's name or a whole recipe. However bad the line, one call makes one job.

        So do calls of one `idempotency_key` within a day, here and wherever one may be given: a program that was
        started again and asks the same is answered the job it has.
        """
        return self._posted(_given(recipe=recipe, **asked), idempotency_key)

    def dry_run(self, recipe: str | Json, **asked: Unpack[Asked]) -> PlanOut:
        """What that job would be, or why it would be refused; nothing is made."""
        body = _given(recipe=recipe, dry_run=True, **asked)
        return self._connection.read(PlanOut, "/jobs", "POST", json=body)

    def evaluate(self, model: str | None = None, *, idempotency_key: str | None = None, **how: Unpack[Measured]) -> Job:
        """A new job that measures a model, by name or name@version, or a checkpoint."""
        return self._posted(_given(kind="evaluate", model=model, **how), idempotency_key)

    def generate(
        self,
        n: int | Mapping[str, int],
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        idempotency_key: str | None = None,
        **packed: Unpack[Packed],
    ) -> Job:
        """A new job that draws very many pictures: `n`, or so many of each class, by its name or number.

        Job.save_all fetches the files it leaves.
        """
        how_many = {"n": n} if isinstance(n, int) else {"classes": dict(n)}
        asked = _given(model=model, seed=seed, temperature=temperature, **packed)
        return self._posted({"kind": "generate", **how_many, **asked}, idempotency_key)

    def translate_dataset(
        self,
        dataset: str,
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        idempotency_key: str | None = None,
        **packed: Unpack[Packed],
    ) -> Job:
        """A new job that sends every picture of a dataset through a model. Job.save_all fetches the files it leaves."""
        asked = _given(kind="translate", dataset=dataset, model=model, direction=direction, **packed)
        return self._posted(asked, idempotency_key)

    def job(self, id_: str) -> Job:
        return self._job(self._connection.read(JobOut, f"/jobs/{_step(id_)}"))

    def jobs(self, **filters: Unpack[Filters]) -> Iterator[Job]:
        """Newest first, read page by page while they are asked for."""
        asked = _given(limit=PAGE, **filters)
        while True:
            page = self._connection.read(JobPage, "/jobs", params=asked)
            yield from map(self._job, page.data)
            if not page.has_more:
                return
            asked["after"] = page.next_cursor

    def compare(self, *jobs: str) -> ComparisonOut:
        """Two or more training jobs by their ids, beside each other."""
        return self._connection.read(ComparisonOut, "/compare", params={"jobs": ",".join(jobs)})

    def start_experiment(self, asked: Json, *, idempotency_key: str | None = None) -> Experiment:
        """A new one, as POST /experiments takes it. However bad the line, one call makes one experiment."""
        headers = once(idempotency_key)
        return self._experiment(
            self._connection.read(ExperimentDetail, "/experiments", "POST", json=dict(asked), headers=headers)
        )

    def try_experiment(self, asked: Json) -> ExperimentPlanOut:
        """Which jobs it would have, or why it would be refused; nothing is made."""
        body = {**asked, "dry_run": True}
        return self._connection.read(ExperimentPlanOut, "/experiments", "POST", json=body)

    def experiment(self, id_: str) -> Experiment:
        return self._experiment(self._connection.read(ExperimentDetail, f"/experiments/{_step(id_)}"))

    def experiments(self) -> Iterator[ExperimentOut]:
        """Newest first, without their jobs and tables; read page by page while they are asked for."""
        asked = _given(limit=PAGE)
        while True:
            page = self._connection.read(ExperimentPage, "/experiments", params=asked)
            yield from page.data
            if not page.has_more:
                return
            asked["after"] = page.next_cursor

    def sample(
        self,
        class_: int | str | None = None,
        n: int = 1,
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        scale: int | None = None,
        format: Format | None = None,
    ) -> Picture:
        """One picture, or a grid when n > 1. `class_` is a number, a name, or "each" for a row of every class."""
        asked = _given(n=n, model=model, seed=seed, temperature=temperature, scale=scale, format=format)
        asked |= _given(**{"class": class_})
        return Picture.of(self._connection.ask("GET", "/sample", params=asked))

    def translate_files(
        self,
        pictures: Sequence[str | Path],
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        shard: int = TOGETHER,
        idempotency_key: str | None = None,
    ) -> Job:
        """A new job that translates pictures of your own. Nobody has to wait for it: they are sent and kept with it.

        Job.save_pictures fetches what became of them, each under its own name.
        """
        asked = _given(kind="translate", model=model, direction=direction, shard=shard)
        with ExitStack() as opened:
            files = [("file", (Path(path).name, opened.enter_context(Path(path).open("rb")))) for path in pictures]
            sent = {"data": {"job": json.dumps(asked)}, "files": files, "headers": once(idempotency_key)}
            return self._job(self._connection.read(JobOut, "/jobs", "POST", timeout=UPLOAD, **sent))

    def translate(
        self,
        picture: "str | Path | bytes | Image",
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        format: Literal["png", "jpeg", "webp"] = "png",
        quality: int | None = None,
    ) -> Picture:
        """What the model makes of a picture: a path, a file's bytes, or a picture of Pillow's.

        It comes back at its own size, or larger from a model that enlarges. One that fills holes paints what is
        transparent. `direction` is for models trained both ways, `quality`, 1 to 100, for JPEG and WebP.
        """
        file = ("picture", _bytes(picture), "application/octet-stream")
        asked = _given(model=model, direction=direction, quality=quality)
        accept = {"Accept": f"image/{format}"}
        sent = {"data": asked, "files": {"file": file}, "headers": accept}
        return Picture.of(self._connection.ask("POST", "/translate", **sent))

    def fetch(self, href: str) -> Picture:
        """The picture at an address that the service named, as in a comparison."""
        return Picture.of(self._connection.ask("GET", self._connection.path(href)))

    def models(self) -> list[ModelOut]:
        return self._connection.read(ModelList, "/models").data

    def model(self, name: str) -> ModelDetail:
        return self._connection.read(ModelDetail, f"/models/{_step(name)}")

    def publish(self, name: str, checkpoint: str) -> VersionOut:
        """A checkpoint's weights as the next version of `name`."""
        return self._connection.read(VersionOut, "/models", "POST", json={"name": name, "checkpoint": checkpoint})

    def delete_model(self, reference: str) -> None:
        """`name@version`, or every version of `name`."""
        self._connection.ask("DELETE", f"/models/{_step(reference)}")

    def datasets(self) -> list[DatasetOut]:
        return self._connection.read(DatasetList, "/datasets").data

    def dataset(self, name: str) -> DatasetDetail:
        """With the report of its intake, where it was uploaded."""
        return self._connection.read(DatasetDetail, f"/datasets/{_step(name)}")

    def upload(
        self, path: str | Path, name: str, layout: Layout | None = None, **taken: Unpack[Taken]
    ) -> DatasetDetail:
        """A zip of pictures, or a folder, which is sent as one. `layout` says what its members are to each other."""
        with archive(Path(path)) as file:
            sent = {"files": {"file": ("pictures.zip", file)}, "data": _given(name=name, layout=layout, **taken)}
            return self._connection.read(DatasetDetail, "/datasets", "POST", timeout=UPLOAD, **sent)

    def sheet(self, name: str) -> Picture:
        """Some of an uploaded dataset's pictures, as training will see them."""
        return Picture.of(self._connection.ask("GET", f"/datasets/{_step(name)}/sheet"))

    def delete_dataset(self, name: str) -> None:
        self._connection.ask("DELETE", f"/datasets/{_step(name)}")

    def recipes(self) -> list[RecipeOut]:
        return self._connection.read(RecipeList, "/recipes").data

    def recipe(self, name: str) -> RecipeOut:
        return self._connection.read(RecipeOut, f"/recipes/{_step(name)}")

    def limits(self) -> list[LimitOut]:
        return self._connection.read(LimitList, "/limits").data

    def _posted(self, body: Json, key: str | None) -> Job:
        """However bad the line, one call makes one job."""
        return self._job(self._connection.read(JobOut, "/jobs", "POST", json=dict(body), headers=once(key)))

    def _job(self, seen: JobOut) -> Job:
        return Job(self._connection, seen)

    def _experiment(self, seen: ExperimentDetail) -> Experiment:
        return Experiment(self._connection, seen)


def _given(**asked: Any) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _step(name: str) -> str:
    """A name as one step of a path."""
    return quote(name, safe="@")


def _bytes(picture: "str | Path | bytes | Image") -> bytes:
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | Path):
        return Path(picture).read_bytes()
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()
