"""Use a service from Python: `Forger().train("cdcgan", dataset="mnist").wait()`, then `Forger().sample(class_=7)`.

The command line uses it too. A refusal raises ForgerProblem, a service that does not answer Unreachable; the text of
both is a sentence.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from forger import address
from forger.augmentation import Augmentations
from forger.connection import TIMEOUT_S, UPLOAD_TIMEOUT, Connection, idempotency_header
from forger.experiment import Experiment
from forger.exported import Exported, save_export
from forger.files import archive
from forger.job import Job, Jobs
from forger.latent_space import LatentSpace
from forger.picture import Picture
from forger.picture_requests import PictureFormat, PictureRequests, file_part
from forger.references import model_path, version_path
from forger.replies import Comparison, Dataset, DatasetList, Model, ModelList, ReportedDataset, Version, Versions
from forger.schemas import catalog
from forger.schemas.experiments import ExperimentDetail, ExperimentOut, ExperimentPage, ExperimentPlanOut
from forger.schemas.jobs import JobOut, PlanOut
from forger.schemas.judgements import JudgementOut, JudgementPage
from forger.schemas.lectures import LectureList, LectureOut
from forger.schemas.links import LinkKind, LinkList, LinkOut
from forger.schemas.nearest import NearestOut
from forger.schemas.samples import Format
from forger.wire import ExportFormat

if TYPE_CHECKING:
    from PIL.Image import Image

Json = Mapping[str, Any]
Layout = Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"]
JUDGEMENTS_PER_PAGE = 100
"""rounds of judgements of one page"""
EXPERIMENTS_PER_PAGE = 50
"""experiments of one page"""
PICTURES_PER_SHARD = 20
"""pictures in one shard of a job that translates sent pictures: a finished shard is not repeated after a fault"""


class Forger(PictureRequests, LatentSpace, Augmentations):
    """A connection to one service.

    `url` defaults to FORGER_URL, else the service that runs from FORGER_HOME, else FORGER_HOST and FORGER_PORT, else
    port 8000 of this machine. `key` defaults to FORGER_API_KEY. `timeout` is the seconds to wait for one reply; uploads
    and streams have timeouts of their own.

    An argument that is None is not sent: the service's default applies.

    >>> forger = Forger("http://gpu-box:8000")
    >>> job = forger.train("cdcgan", dataset="digits").wait()
    >>> forger.sample(class_=7, n=16, model=job.model).save("sevens.png")
    """

    def __init__(self, url: str | None = None, key: str | None = None, *, timeout: float = TIMEOUT_S) -> None:
        place = address.ServiceAddress(url, address.FROM_ARGUMENT) if url else address.find_service()
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

    @property
    def studio(self) -> str:
        """Return the address of the studio, the service's page."""
        return self._connection.studio()

    def close(self) -> None:
        """Close the connection. `with Forger() as forger:` does it automatically."""
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
        """Start a training from a family's name or a whole recipe. One call creates one job, also over a bad network.

        `budget` is {"steps": n}, {"epochs": n} or {"minutes": n}; `overrides` change a family's recipe (RFC 7396);
        `model` is the name to publish; `start_from` is the id of a checkpoint with the initial weights; `resources` is
        {"devices": n}, which share every batch.

        Calls with one `idempotency_key` within a day also create one job, here and in the other methods with that
        argument: a restarted program gets the job that it has already started.

        >>> job = forger.train("dcgan", dataset="digits", budget={"steps": 600}, overrides={"batch_size": 32})
        """
        body = _without_none(recipe=recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, model=model,
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
        """Return the plan of the job that `train` would create, or the reasons of its refusal; create nothing.

        >>> plan = forger.dry_run("dcgan", dataset="mnist")
        >>> print(plan.estimate.minutes if not plan.refusals else plan.refusals)
        """
        body = _without_none(recipe=recipe, dataset=dataset, seed=seed, budget=budget, overrides=overrides, model=model,
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
        curve: bool | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that evaluates a model, by name or name@version, or a checkpoint by its id.

        It generates and compares `n` examples; `figures` limits it to the named figures. With `curve` the model's card
        gets precision and recall over temperature and truncation.

        >>> print(forger.evaluate("cdcgan-digits", n=2000).wait().figures)
        """
        fields = _without_none(
            checkpoint=checkpoint, n=n, features=features, seed=seed, figures=figures and list(figures), curve=curve
        )
        return self._posted({"kind": "evaluate", **_without_none(model=model), **fields}, idempotency_key)

    def generate(
        self,
        n: int | Mapping[str, int],
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
        format: Literal["zip", "npz"] | None = None,
        shard: int | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that draws very many pictures: `n`, or a number for each class, by the class's name or number.

        `temperature` and `truncation` are those of `sample`. The job writes files of `shard` pictures, which
        Job.save_all fetches.

        >>> forger.generate({"7": 5000, "8": 5000}, model="cdcgan-digits").wait().save_all("fakes")
        """
        how_many = {"n": n} if isinstance(n, int) else {"classes": dict(n)}
        fields = _without_none(
            model=model, seed=seed, temperature=temperature, truncation=truncation, format=format, shard=shard
        )
        return self._posted({"kind": "generate", **how_many, **fields}, idempotency_key)

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
        """Start a job that translates every picture of a dataset. Job.save_all fetches the files that it writes.

        >>> forger.translate_dataset("streets", model="pix2pix-streets").wait().save_all("painted")
        """
        fields = _without_none(dataset=dataset, model=model, direction=direction, format=format, shard=shard)
        return self._posted({"kind": "translate", **fields}, idempotency_key)

    def job(self, id_: str) -> Job:
        """Read a job by its full id."""
        return self._job(self._connection.read(JobOut, f"/jobs/{_path_segment(id_)}"))

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

        `model` is a name, or name@version for the jobs that published or used that version.

        >>> for job in forger.jobs(state="running"):
        ...     print(job)
        """
        fields = _without_none(state=state, family=family, dataset=dataset, model=model, kind=kind)
        return Jobs(self._connection, fields)

    def compare(self, *jobs: str) -> Comparison:
        """Compare two or more training jobs, by their ids.

        >>> forger.compare(first.id, second.id).differences
        """
        return self._connection.read(Comparison, "/compare", params={"jobs": ",".join(jobs)})

    def compare_picture(self, *jobs: str) -> Picture:
        """Draw two or more training jobs in one picture: samples from the same noise, and curves.

        >>> forger.compare_picture(first.id, second.id).save("two.png")
        """
        return Picture.of(self._connection.request("GET", "/compare", params={"jobs": ",".join(jobs), "format": "png"}))

    def start_experiment(self, request: Json, *, idempotency_key: str | None = None) -> Experiment:
        """Start an experiment from a body of POST /experiments. One call creates one, also over a bad network.

        >>> grid = {"/objective": [{"kind": "hinge"}, {"kind": "minimax"}]}
        >>> forger.start_experiment({"recipe": "gan", "dataset": "ring8", "grid": grid, "seeds": 3}).wait()
        """
        sent = {"json": dict(request), "headers": idempotency_header(idempotency_key)}
        return Experiment(self._connection, self._connection.read(ExperimentDetail, "/experiments", "POST", **sent))

    def try_experiment(self, request: Json) -> ExperimentPlanOut:
        """Return the planned jobs of an experiment, or the reasons of its refusal; create nothing."""
        body = {**request, "dry_run": True}
        return self._connection.read(ExperimentPlanOut, "/experiments", "POST", json=body)

    def experiment(self, id_: str) -> Experiment:
        """Read an experiment by its full id."""
        return Experiment(
            self._connection, self._connection.read(ExperimentDetail, f"/experiments/{_path_segment(id_)}")
        )

    def experiments(self) -> Iterator[ExperimentOut]:
        """Yield experiments, newest first, without their jobs and tables. Pages are read while you iterate."""
        fields = _without_none(limit=EXPERIMENTS_PER_PAGE)
        while True:
            page = self._connection.read(ExperimentPage, "/experiments", params=fields)
            yield from page.data
            if not page.has_more:
                return
            fields["after"] = page.next_cursor

    def sample(
        self,
        class_: int | str | None = None,
        n: int = 1,
        *,
        model: str | None = None,
        seed: int | None = None,
        temperature: float | None = None,
        truncation: float | None = None,
        scale: int | None = None,
        format: Format | None = None,
    ) -> Picture:
        """Draw a picture, or a grid when n > 1. `class_` is a number, a name, or "each" for a row of every class.

        Equal seeds draw equal pictures. A `temperature` below 1, down to 0, gives more typical and less varied samples,
        and so does a `truncation`, beyond which numbers of the latent are drawn again; `scale` enlarges by whole
        pixels.

        >>> forger.sample(class_="each", n=8, model="cdcgan-digits", seed=1, scale=4).save("digits.png")
        """
        fields = _without_none(n=n, model=model, seed=seed, temperature=temperature, truncation=truncation)
        fields |= _without_none(scale=scale, format=format, **{"class": class_})
        return Picture.of(self._connection.request("GET", "/sample", params=fields))

    def translate_files(
        self,
        pictures: Sequence[str | Path],
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        shard: int = PICTURES_PER_SHARD,
        idempotency_key: str | None = None,
    ) -> Job:
        """Start a job that translates your own pictures. The service keeps them, so you need not wait.

        Job.save_pictures fetches the translations, each under its picture's name.

        >>> forger.translate_files(sorted(Path("photos").glob("*.jpg"))).wait().save_pictures("nights")
        """
        fields = _without_none(kind="translate", model=model, direction=direction, shard=shard)
        with ExitStack() as opened:
            files = [("file", (Path(path).name, opened.enter_context(Path(path).open("rb")))) for path in pictures]
            sent = {"data": {"job": json.dumps(fields)}, "files": files, "headers": idempotency_header(idempotency_key)}
            return self._job(self._connection.read(JobOut, "/jobs", "POST", timeout=UPLOAD_TIMEOUT, **sent))

    def translate(
        self,
        picture: "str | Path | bytes | Image",
        *,
        model: str | None = None,
        direction: Literal["a2b", "b2a"] | None = None,
        format: PictureFormat = "png",
        quality: int | None = None,
    ) -> Picture:
        """Translate one picture: a path, a file's bytes, or a Pillow image.

        The translation has the picture's size, or a larger one if the model enlarges. A model that fills holes paints
        the transparent parts. `direction` is for models trained both ways, `quality`, 1 to 100, for JPEG and WebP.

        >>> forger.translate("photo.jpg", model="cyclegan-day2night").save("night.png")
        """
        files = {"file": file_part(picture)}
        return self._drawn("/translate", files, format, model=model, direction=direction, quality=quality)

    def fetch(self, href: str) -> Picture:
        """Fetch the picture at a link of a reply, such as a comparison."""
        return Picture.of(self._connection.request("GET", self._connection.path(href)))

    def models(self) -> list[Model]:
        """List models by name, each with its newest version."""
        return self._connection.read(ModelList, "/models").data

    def model(self, name: str) -> Versions:
        """Read every version of a model, newest first; of name@version only that one."""
        if "@" not in name:
            return self._connection.read(Versions, model_path(name))
        version = self.version(name)
        return Versions.model_validate({"name": version.name, "versions": [version]}, context=self._connection.studio())

    def version(self, reference: str) -> Version:
        """Read one version of a model with its quality card: name@version, or name for its newest version.

        >>> forger.version("cdcgan-digits@1").card["figures"]
        """
        return self._connection.read(Version, version_path(self._connection, reference))

    def publish(self, name: str, checkpoint: str) -> Version:
        """Publish a checkpoint's weights as the next version of `name`.

        >>> forger.publish("sevens", job.checkpoints()[0].id)
        """
        body = {"name": name, "checkpoint": checkpoint}
        return self._connection.read(Version, "/models", "POST", json=body)

    def import_model(
        self,
        path: str | Path,
        name: str,
        *,
        b2a: str | Path | None = None,
        licence: str | None = None,
        source: str | None = None,
    ) -> Version:
        """Import a file of weights as the next version of `name`, and learn from its card what it takes and gives.

        The file is an export of Forger, or a generator's state dict (safetensors or .pth) of CycleGAN, pix2pix or
        PyTorch's DCGAN example. `b2a` is CycleGAN's generator of the way back. `licence` and `source`, the licence of
        the weights and where they are from, are kept.

        >>> forger.import_model("latest_net_G_A.pth", "horse2zebra", b2a="latest_net_G_B.pth", licence="BSD")
        """
        sent, paths = _without_none(name=name, licence=licence, source=source), _without_none(file=path, b2a=b2a)
        with ExitStack() as opened:
            files = {part: (Path(one).name, opened.enter_context(Path(one).open("rb"))) for part, one in paths.items()}
            form = {"files": files, "data": sent}
            return self._connection.read(Version, "/models/import", "POST", timeout=UPLOAD_TIMEOUT, **form)

    def export(self, reference: str, path: str | Path, format: ExportFormat | None = None) -> Exported:
        """Save a version as a zip for use without Forger, with a model card: safetensors, onnx or torch_export.

        `reference` is name@version, or name for its newest version. Raises ValueError unless the path ends in .zip.

        >>> forger.export("cdcgan-digits@1", "digits.zip", "onnx").parity
        """
        return save_export(self._connection, reference, Path(path), format)

    def delete_model(self, reference: str) -> None:
        """Delete `name@version`, or every version of `name`."""
        self._connection.request("DELETE", model_path(reference))

    def judge(self, reference: str, answers: Sequence[Json], *, seed: int, judge: str) -> JudgementOut:
        """Send a round in which a person told real pictures from those of a version: name@version, or name.

        Each answer has `truth` and `guess`, both "real" or "fake", `index` and `ms`; docs/api.md says what they mean.
        `judge` is a name that tells judges apart.

        >>> forger.judge("cdcgan-digits@1", answers, seed=3, judge="ada").hits
        """
        body = {"seed": seed, "judge": judge, "answers": [dict(answer) for answer in answers]}
        return self._connection.read(JudgementOut, self._judgements_path(reference), "POST", json=body)

    def judgements(self, reference: str, *, after: str | None = None) -> JudgementPage:
        """Read the newest rounds of name@version, or of a name's newest version, and the figure of all rounds.

        `after` is the cursor of a page.

        >>> forger.judgements("cdcgan-digits@1").figure.accuracy
        """
        fields = _without_none(limit=JUDGEMENTS_PER_PAGE, after=after)
        return self._connection.read(JudgementPage, self._judgements_path(reference), params=fields)

    def share(self, kind: LinkKind, target: str, hours: float = 168) -> LinkOut:
        """Create a link that shows one job, experiment or model (name@version) without the key, for some hours.

        Raises ForgerProblem if the service has no key: then every address can be opened anyway.

        >>> forger.share("job", job.id, hours=24).href
        """
        body = {"kind": kind, "target": target, "hours": hours}
        return self._connection.read(LinkOut, "/links", "POST", json=body)

    def links(self) -> list[LinkOut]:
        """List the links that have not expired, newest first."""
        return self._connection.read(LinkList, "/links").data

    def delete_link(self, link_id: str) -> None:
        """Revoke a link: it shows nothing from then on."""
        self._connection.request("DELETE", f"/links/{_path_segment(link_id)}")

    def datasets(self) -> list[Dataset]:
        """List the datasets, built-in and uploaded."""
        return self._connection.read(DatasetList, "/datasets").data

    def dataset(self, name: str) -> ReportedDataset:
        """Read a dataset; an uploaded one has the report of its intake."""
        return self._connection.read(ReportedDataset, f"/datasets/{_path_segment(name)}")

    def upload(
        self,
        path: str | Path,
        name: str,
        layout: Layout | None = None,
        *,
        fit: Literal["crop", "pad", "tiles"] | None = None,
        depth: Literal["auto", "10", "12", "14", "16"] | None = None,
        bits: Literal[8, 16] | None = None,
        labels: Literal["auto", "none", "a", "b"] | None = None,
    ) -> ReportedDataset:
        """Upload a zip of pictures, or a folder, which is sent as one.

        `layout` says how its members belong together; `fit` how pictures become square; `depth` how many bits of 16-bit
        samples are used; `bits` how many bits training keeps (8, the default, or 16); `labels` which domain (a or b)
        holds label maps.

        >>> forger.upload("photos/", "photos", layout="classes")
        """
        sent = _without_none(name=name, layout=layout, fit=fit, depth=depth, bits=bits, labels=labels)
        with archive(Path(path)) as file:
            form = {"files": {"file": ("pictures.zip", file)}, "data": sent}
            return self._connection.read(ReportedDataset, "/datasets", "POST", timeout=UPLOAD_TIMEOUT, **form)

    def sheet(self, name: str) -> Picture:
        """Fetch some of an uploaded dataset's pictures in the form that training reads."""
        return Picture.of(self._connection.request("GET", f"/datasets/{_path_segment(name)}/sheet"))

    def dataset_pictures(
        self,
        name: str,
        class_: int | str | None = None,
        n: int | None = None,
        *,
        seed: int | None = None,
        domain: Literal["a", "b"] | None = None,
        side: int | None = None,
        channels: Literal[1, 3] | None = None,
        format: Format | None = None,
    ) -> Picture:
        """Fetch real pictures of a dataset as training sees them; or points, or strings, if it holds those.

        `class_` is a number, a name, or "each" for a row of every class; `n` is 16 by default. Equal seeds show equal
        pictures. `domain` is for datasets with two. `side`, in pixels, and `channels` are those of the dataset.

        >>> forger.dataset_pictures("mnist", class_="each", n=8, seed=1).save("real.png")
        """
        fields = _without_none(n=n, seed=seed, domain=domain, side=side, channels=channels, format=format)
        fields |= _without_none(**{"class": class_})
        return Picture.of(self._connection.request("GET", f"/datasets/{_path_segment(name)}/pictures", params=fields))

    def nearest(
        self,
        name: str,
        picture: "str | Path | bytes | Image",
        n: int | None = None,
        *,
        channels: Literal[1, 3] | None = None,
    ) -> NearestOut:
        """Find the training pictures nearest to a square picture: a path, a file's bytes, or a Pillow image.

        The distance is the root mean square difference of pixels in [0, 1]. `typical` of the reply says how far real
        pictures are from the nearest other one. `n` is 1 by default; `channels` are those of the dataset.

        >>> sample = forger.sample(class_=7, model="cdcgan-digits", seed=1)
        >>> forger.nearest("digits", sample.data).data[0].distance
        """
        fields = {field: str(value) for field, value in _without_none(n=n, channels=channels).items()}
        sent = {"data": fields, "files": {"file": file_part(picture)}}
        return self._connection.read(NearestOut, f"/datasets/{_path_segment(name)}/nearest", "POST", **sent)

    def delete_dataset(self, name: str) -> None:
        """Delete an uploaded dataset. The service refuses while a job or a model needs it."""
        self._connection.request("DELETE", f"/datasets/{_path_segment(name)}")

    def recipes(self) -> list[catalog.RecipeOut]:
        """List the families that can be trained."""
        return self._connection.read(catalog.RecipeList, "/recipes").data

    def recipe(self, name: str) -> catalog.RecipeOut:
        """Read a family: its whole recipe, its JSON Schema, and the settings that a person usually changes."""
        return self._connection.read(catalog.RecipeOut, f"/recipes/{_path_segment(name)}")

    def lectures(self) -> list[LectureOut]:
        """List the six runs of the lecture, each with the request that trains it.

        >>> run = forger.lectures()[2].request
        >>> forger.train(**run | {"dataset": "digits", "budget": {"steps": 600}})
        """
        return self._connection.read(LectureList, "/lectures").data

    def lecture_picture(self, name: str) -> Picture:
        """Fetch the picture that our run of a lecture drew at its end."""
        return Picture.of(self._connection.request("GET", f"/lectures/{_path_segment(name)}/picture"))

    def limits(self) -> list[catalog.LimitOut]:
        """List the service's limits."""
        return self._connection.read(catalog.LimitList, "/limits").data

    def _posted(self, body: Json, key: str | None) -> Job:
        """Create one job, also over a bad network."""
        return self._job(
            self._connection.read(JobOut, "/jobs", "POST", json=dict(body), headers=idempotency_header(key))
        )

    def _job(self, reply: JobOut) -> Job:
        return Job(self._connection, reply)

    def _judgements_path(self, reference: str) -> str:
        return f"{version_path(self._connection, reference)}/judgements"


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _path_segment(name: str) -> str:
    """Return a name as one segment of a path."""
    return quote(name, safe="@")
