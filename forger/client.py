"""The Python client: `Forger().train("cdcgan", dataset="mnist").wait()`, then `Forger().sample(class_=7)`.

The command line is made of it. A refusal is a ForgerProblem, a service that does not answer an Unreachable; the text
of both is a sentence.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from forger import address
from forger.connection import TIMEOUT_S, UPLOAD, Connection, once
from forger.experiment import Experiment
from forger.files import archive
from forger.job import Job, Jobs
from forger.picture import Picture, bytes_of
from forger.schemas import catalog
from forger.schemas.compare import ComparisonOut
from forger.schemas.experiments import ExperimentDetail, ExperimentOut, ExperimentPage, ExperimentPlanOut
from forger.schemas.jobs import JobOut, PlanOut
from forger.schemas.samples import Format

if TYPE_CHECKING:
    from PIL.Image import Image

Json = Mapping[str, Any]
Layout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
PAGE = 50
"""experiments read at once"""
TOGETHER = 20
"""pictures of one's own in one file of those that a job leaves: what is done is not done again after a fault"""


class Forger:
    """A connection to one service.

    Without `url` it is FORGER_URL, else the service that runs from FORGER_HOME, else FORGER_HOST and FORGER_PORT, and
    where none of them is set port 8000 here. `key` is that of FORGER_API_KEY unless given. `timeout` is the number of
    seconds that one reply is waited for; uploads and streams have their own.

    An argument that is None is as if it were not written: the service's default holds.

    >>> forger = Forger("http://gpu-box:8000")
    >>> job = forger.train("cdcgan", dataset="digits").wait()
    >>> forger.sample(class_=7, n=16, model=job.model).save("sevens.png")
    """

    def __init__(self, url: str | None = None, key: str | None = None, *, timeout: float = TIMEOUT_S) -> None:
        place = address.Place(url, address.GIVEN) if url else address.find()
        self._connection = Connection(place, address.setting("API_KEY") if key is None else key, timeout)

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
        """Close the connection. `with Forger() as forger:` does it by itself."""
        self._connection.close()

    def train(
        self,
        recipe: str | Json,
        *,
        dataset: str | None = None,
        seed: int | None = None,
        budget: Json | None = None,
        overrides: Json | None = None,
        model: str | None = None,
        start_from: str | None = None,
        resources: Json | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job from a family's name or a whole recipe. However bad the line, one call makes one job.

        `budget` is {"steps": n}, {"epochs": n} or {"minutes": n}; `overrides` change a family's recipe (RFC 7396);
        `model` is the name it publishes; `start_from` is the id of a checkpoint whose weights it begins with;
        `resources` is {"devices": n}, which share out every batch.

        Calls of one `idempotency_key` within a day make one job too, here and wherever one may be given: a program
        that was started again and asks the same is answered the job it has.

        >>> job = forger.train("dcgan", dataset="digits", budget={"steps": 600}, overrides={"batch_size": 32})
        """
        body = _given(recipe=recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, model=model,
                      start_from=start_from, resources=resources)  # fmt: skip
        return self._posted(body, idempotency_key)

    def dry_run(
        self,
        recipe: str | Json,
        *,
        dataset: str | None = None,
        seed: int | None = None,
        budget: Json | None = None,
        overrides: Json | None = None,
        model: str | None = None,
        start_from: str | None = None,
        resources: Json | None = None,
    ) -> PlanOut:
        """Say what the job of `train` would be, or why it would be refused; nothing is made.

        >>> plan = forger.dry_run("dcgan", dataset="mnist")
        >>> print(plan.estimate.minutes if not plan.refusals else plan.refusals)
        """
        body = _given(recipe=recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, model=model,
                      start_from=start_from, resources=resources, dry_run=True)  # fmt: skip
        return self._connection.read(PlanOut, "/jobs", "POST", json=body)

    def evaluate(
        self,
        model: str | None = None,
        *,
        checkpoint: str | None = None,
        n: int | None = None,
        features: Literal["own", "inception"] | None = None,
        seed: int | None = None,
        figures: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that measures a model, by name or name@version, or a checkpoint by its id.

        `n` examples are made and compared; `figures` names the only ones that are measured.

        >>> print(forger.evaluate("cdcgan-digits", n=2000).wait().figures)
        """
        asked = _given(checkpoint=checkpoint, n=n, features=features, seed=seed, figures=figures and list(figures))
        return self._posted({"kind": "evaluate", **_given(model=model), **asked}, idempotency_key)

    def generate(
        self,
        n: int | Mapping[str, int],
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        format: Literal["zip", "npz"] | None = None,
        shard: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that draws very many pictures: `n`, or so many of each class, by its name or number.

        They come in files of `shard` pictures, which Job.save_all fetches.

        >>> forger.generate({"7": 5000, "8": 5000}, model="cdcgan-digits").wait().save_all("fakes")
        """
        how_many = {"n": n} if isinstance(n, int) else {"classes": dict(n)}
        asked = _given(model=model, seed=seed, temperature=temperature, format=format, shard=shard)
        return self._posted({"kind": "generate", **how_many, **asked}, idempotency_key)

    def translate_dataset(
        self,
        dataset: str,
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        format: Literal["zip", "npz"] | None = None,
        shard: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that sends every picture of a dataset through a model. Job.save_all fetches the files it leaves.

        >>> forger.translate_dataset("streets", model="pix2pix-streets").wait().save_all("painted")
        """
        asked = _given(dataset=dataset, model=model, direction=direction, format=format, shard=shard)
        return self._posted({"kind": "translate", **asked}, idempotency_key)

    def job(self, id_: str) -> Job:
        """Read a job by its whole id."""
        return self._job(self._connection.read(JobOut, f"/jobs/{_step(id_)}"))

    def jobs(
        self,
        *,
        state: str | None = None,
        family: str | None = None,
        dataset: str | None = None,
        model: str | None = None,
        kind: str | None = None,
    ) -> Jobs:
        """List jobs, newest first. Pages are read while you iterate; a notebook shows the newest as a table.

        >>> for job in forger.jobs(state="running"):
        ...     print(job)
        """
        asked = _given(state=state, family=family, dataset=dataset, model=model, kind=kind)
        return Jobs(self._connection, asked)

    def compare(self, *jobs: str) -> ComparisonOut:
        """Compare two or more training jobs, by their ids.

        >>> forger.compare(first.id, second.id).differences
        """
        return self._connection.read(ComparisonOut, "/compare", params={"jobs": ",".join(jobs)})

    def compare_picture(self, *jobs: str) -> Picture:
        """Draw two or more training jobs beside each other: samples from the same noise, and curves.

        >>> forger.compare_picture(first.id, second.id).save("two.png")
        """
        return Picture.of(self._connection.ask("GET", "/compare", params={"jobs": ",".join(jobs), "format": "png"}))

    def start_experiment(self, asked: Json, *, idempotency_key: str | None = None) -> Experiment:
        """Start an experiment, as POST /experiments takes it. However bad the line, one call makes one.

        >>> grid = {"/objective": [{"kind": "hinge"}, {"kind": "minimax"}]}
        >>> forger.start_experiment({"recipe": "gan", "dataset": "ring8", "grid": grid, "seeds": 3}).wait()
        """
        sent = {"json": dict(asked), "headers": once(idempotency_key)}
        return Experiment(self._connection, self._connection.read(ExperimentDetail, "/experiments", "POST", **sent))

    def try_experiment(self, asked: Json) -> ExperimentPlanOut:
        """Say which jobs an experiment would have, or why it would be refused; nothing is made."""
        body = {**asked, "dry_run": True}
        return self._connection.read(ExperimentPlanOut, "/experiments", "POST", json=body)

    def experiment(self, id_: str) -> Experiment:
        """Read an experiment by its whole id."""
        return Experiment(self._connection, self._connection.read(ExperimentDetail, f"/experiments/{_step(id_)}"))

    def experiments(self) -> Iterator[ExperimentOut]:
        """List experiments, newest first, without their jobs and tables. Pages are read while you iterate."""
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
        """Draw a picture, or a grid when n > 1. `class_` is a number, a name, or "each" for a row of every class.

        The same `seed` draws the same. `temperature`, 0 to 1, is below 1 nearer to the typical and less varied; `scale`
        enlarges by whole pixels.

        >>> forger.sample(class_="each", n=8, model="cdcgan-digits", seed=1, scale=4).save("digits.png")
        """
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
        """Start a job that translates pictures of your own. Nobody has to wait for it: they are sent and kept with it.

        Job.save_pictures fetches what became of them, each under its own name.

        >>> forger.translate_files(sorted(Path("photos").glob("*.jpg"))).wait().save_pictures("nights")
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
        """Translate one picture: a path, a file's bytes, or a picture of Pillow's.

        It comes back at its own size, or larger from a model that enlarges. One that fills holes paints what is
        transparent. `direction` is for models trained both ways, `quality`, 1 to 100, for JPEG and WebP.

        >>> forger.translate("photo.jpg", model="cyclegan-day2night").save("night.png")
        """
        file = ("picture", bytes_of(picture), "application/octet-stream")
        asked = _given(model=model, direction=direction, quality=quality)
        accept = {"Accept": f"image/{format}"}
        sent = {"data": asked, "files": {"file": file}, "headers": accept}
        return Picture.of(self._connection.ask("POST", "/translate", **sent))

    def fetch(self, href: str) -> Picture:
        """Fetch the picture at an address that the service named, as in a comparison."""
        return Picture.of(self._connection.ask("GET", self._connection.path(href)))

    def models(self) -> list[catalog.ModelOut]:
        """List models by name, each with its newest version."""
        return self._connection.read(catalog.ModelList, "/models").data

    def model(self, name: str) -> catalog.ModelDetail:
        """Read every version of a model."""
        return self._connection.read(catalog.ModelDetail, f"/models/{_step(name)}")

    def publish(self, name: str, checkpoint: str) -> catalog.VersionOut:
        """Publish a checkpoint's weights as the next version of `name`.

        >>> forger.publish("sevens", job.checkpoints()[0].id)
        """
        body = {"name": name, "checkpoint": checkpoint}
        return self._connection.read(catalog.VersionOut, "/models", "POST", json=body)

    def delete_model(self, reference: str) -> None:
        """Delete `name@version`, or every version of `name`."""
        self._connection.ask("DELETE", f"/models/{_step(reference)}")

    def datasets(self) -> list[catalog.DatasetOut]:
        """List what a job can learn from, the built-in datasets and the uploaded ones."""
        return self._connection.read(catalog.DatasetList, "/datasets").data

    def dataset(self, name: str) -> catalog.DatasetDetail:
        """Read a dataset, with the report of its intake where it was uploaded."""
        return self._connection.read(catalog.DatasetDetail, f"/datasets/{_step(name)}")

    def upload(
        self,
        path: str | Path,
        name: str,
        layout: Layout | None = None,
        *,
        fit: Literal["crop", "pad", "tiles"] | None = None,
        depth: Literal["auto", "10", "12", "14", "16"] | None = None,
        labels: Literal["auto", "none", "a", "b"] | None = None,
    ) -> catalog.DatasetDetail:
        """Upload a zip of pictures, or a folder, which is sent as one.

        `layout` says what its members are to each other; `fit` how pictures become square; `depth` how many bits count
        in samples of 16; `labels` which pile is label maps.

        >>> forger.upload("photos/", "photos", layout="classes")
        """
        sent = _given(name=name, layout=layout, fit=fit, depth=depth, labels=labels)
        with archive(Path(path)) as file:
            form = {"files": {"file": ("pictures.zip", file)}, "data": sent}
            return self._connection.read(catalog.DatasetDetail, "/datasets", "POST", timeout=UPLOAD, **form)

    def sheet(self, name: str) -> Picture:
        """Draw some of an uploaded dataset's pictures, as training will see them."""
        return Picture.of(self._connection.ask("GET", f"/datasets/{_step(name)}/sheet"))

    def delete_dataset(self, name: str) -> None:
        """Delete an uploaded dataset that no job and no model needs."""
        self._connection.ask("DELETE", f"/datasets/{_step(name)}")

    def recipes(self) -> list[catalog.RecipeOut]:
        """List the families that can be trained."""
        return self._connection.read(catalog.RecipeList, "/recipes").data

    def recipe(self, name: str) -> catalog.RecipeOut:
        """Read a family: its whole recipe, its JSON Schema, and the settings one would turn."""
        return self._connection.read(catalog.RecipeOut, f"/recipes/{_step(name)}")

    def limits(self) -> list[catalog.LimitOut]:
        """List the service's limits."""
        return self._connection.read(catalog.LimitList, "/limits").data

    def _posted(self, body: Json, key: str | None) -> Job:
        """However bad the line, one call makes one job."""
        return self._job(self._connection.read(JobOut, "/jobs", "POST", json=dict(body), headers=once(key)))

    def _job(self, seen: JobOut) -> Job:
        return Job(self._connection, seen)


def _given(**asked: Any) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _step(name: str) -> str:
    """A name as one step of a path."""
    return quote(name, safe="@")
