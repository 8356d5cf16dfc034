"""Represent a job: its newest reply, and the requests about it."""

import csv
import errno
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from forger import events, notebook
from forger.connection import Connection, idempotency_header
from forger.events import Event
from forger.files import require_ending, sha256_of, write_whole
from forger.following import Following
from forger.picture import Picture
from forger.plot import Plot, plot
from forger.problems import ForgerProblem, Unreachable
from forger.schemas.figures import JobFigure, JobFigureList
from forger.schemas.jobs import (
    ArtifactList,
    ArtifactOut,
    CheckpointList,
    CheckpointOut,
    CurveList,
    EventList,
    EventOut,
    JobOut,
    JobPage,
    SampleList,
    SampleOut,
)
from forger.text import job_title, progress_text
from forger.wire import (
    DEFAULT_REPLY_POINTS,
    LABELS_FILE,
    LEFT_OUT_FILE,
    MAX_REPLY_POINTS,
    TERMINAL,
    JobState,
    TableFormat,
)

PAGE = 50
"""jobs of one page"""
NEWEST = 20
"""jobs that a notebook shows"""


class Job:
    """A job. `reply` is the service's newest reply; `refresh`, `wait`, `cancel`, `pause` and `resume` replace it."""

    def __init__(self, connection: Connection, reply: JobOut) -> None:
        self._connection = connection
        self._path = f"/jobs/{reply.id}"
        self.reply = reply

    def __repr__(self) -> str:
        reply = self.reply
        return f"<Job {reply.id}: {job_title(reply)}, {reply.state}, {self.course}>"

    @property
    def id(self) -> str:
        return self.reply.id

    @property
    def state(self) -> JobState:
        return self.reply.state

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def course(self) -> str:
        """Return the steps so far and in all, such as `5 of 20`."""
        return progress_text(self.reply.progress.step, self.reply.progress.total)

    @property
    def figures(self) -> dict[str, float | None]:
        """Return the figures of the model that it published or evaluated; empty before."""
        return self.reply.result.figures if self.reply.result else {}

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return self._connection.studio(f"jobs/{self.id}")

    @property
    def model(self) -> str | None:
        """Return name@version of the model that it published; None before."""
        return self.reply.result.model if self.reply.result else None

    def refresh(self) -> "Job":
        """Read the job again."""
        self.reply = self._connection.read(JobOut, self._path)
        return self

    def follow(self, after: int = 0) -> Following:
        """Follow the job until it ends; reconnect after dropped connections.

        At the end of a notebook's cell, it is one display that is updated. In a loop, it is every event after `after`,
        once and in order:

        >>> for event in job.follow():
        ...     print(event)
        """
        return Following(self, self._stream(after), after)

    def _stream(self, after: int) -> Iterator[Event]:
        yield from events.follow(self._connection, self.id, after)
        self.refresh()

    def wait(self) -> "Job":
        """Return when the job has ended; `state` says how."""
        for _ in self.follow():
            pass
        return self.refresh()

    def cancel(self) -> "Job":
        """End the job at its next step."""
        return self._post("cancel")

    def pause(self) -> "Job":
        """Save the job at its next step and free the device."""
        return self._post("pause")

    def resume(self) -> "Job":
        """Resume a paused job."""
        return self._post("resume")

    def extend(self, steps: int, *, idempotency_key: str | None = None) -> "Job":
        """Extend a succeeded training by `steps`. One call adds them once, also over a bad network.

        Calls with one `idempotency_key` also add them once.
        """
        body = {"budget": {"steps": steps}}
        self.reply = self._connection.read(
            JobOut, f"{self._path}/extend", "POST", json=body, headers=idempotency_header(idempotency_key)
        )
        return self

    def delete(self) -> None:
        """Delete a job that has ended, with all its files; published models stay."""
        self._connection.request("DELETE", self._path)

    def events(self, after: int = 0) -> Iterator[EventOut]:
        """Yield the events that exist now."""
        while page := self._connection.read(EventList, f"{self._path}/events", params={"after": after}).data:
            yield from page
            after = page[-1].seq

    def metrics(
        self, *names: str, after_step: int = -1, points: int = DEFAULT_REPLY_POINTS
    ) -> dict[str, list[tuple[int, float | None]]]:
        """Read curves by name, as (step, value); a value that was not finite is None. Longer curves are thinned.

        >>> steps, values = zip(*job.metrics("figure/frechet")["figure/frechet"])
        """
        fields = {"name": list(names), "after_step": after_step, "points": points}
        curves = self._connection.read(CurveList, f"{self._path}/metrics", params=fields).data
        return {curve.name: curve.points for curve in curves}

    def plot(self, *names: str) -> Plot:
        """Plot curves by name, by default all: losses and figures over steps, with a line at the best checkpoint.

        >>> job.plot("generator/non_saturating", "figure/frechet").save("curves.svg")
        """
        self.refresh()
        best = self.reply.best
        title = f"{job_title(self.reply)}, {self.id}"
        return plot(title, self.metrics(*names), None if best is None else best.step)

    def curves(self, format_: TableFormat, *names: str, points: int = MAX_REPLY_POINTS) -> bytes:
        """Read curves as a file, a line for each point: curve, step, value, and whether the curve is thinned."""
        fields = {"name": list(names), "points": points, "format": format_}
        return self._connection.request("GET", f"{self._path}/metrics", params=fields).content

    def measured(self) -> list[JobFigure]:
        """Read its figures with provenance and citation; a training also has those of its evaluations."""
        return self._connection.read(JobFigureList, f"{self._path}/figures").data

    def checkpoints(self) -> list[CheckpointOut]:
        """List the checkpoints, newest first."""
        return self._connection.read(CheckpointList, f"{self._path}/checkpoints").data

    def samples(self) -> list[SampleOut]:
        """List the pictures of the fixed noise at each report, or at some of them, by step."""
        return self._connection.read(SampleList, f"{self._path}/samples").data

    def artifacts(self, kind: str | None = None) -> list[ArtifactOut]:
        """List the job's files, or those of one kind: shard, export, sample or evaluation."""
        fields = {} if kind is None else {"kind": kind}
        return self._connection.read(ArtifactList, f"{self._path}/artifacts", params=fields).data

    def picture(self, sample: SampleOut | None = None) -> Picture | None:
        """Fetch a sample, by default the newest; return None if there is none."""
        samples = [sample] if sample else self.samples()
        return self.fetch(samples[-1].href) if samples else None

    def fetch(self, href: str) -> Picture:
        """Fetch the picture at a link of the job's replies, such as `reply.links["sample"]`."""
        return Picture.of(self._connection.request("GET", self._connection.path(href)))

    def save(self, artifact: ArtifactOut, path: str | Path) -> Path:
        """Save the artifact's bytes as a file, whole or not at all.

        Raises ValueError for a name with the ending of another format.
        """
        if suffix := Path(artifact.name).suffix:
            require_ending(Path(path), [suffix.removeprefix(".")])
        with self._connection.stream(self._connection.path(artifact.href)) as reply:
            write_whole(Path(path), reply.iter_bytes())
        return Path(path)

    def save_all(self, folder: str | Path, kind: str | None = None) -> list[Path]:
        """Save every artifact, or those of a kind, under their names in the folder; skip existing ones.

        Raises FileExistsError if the folder contains other files, because files of two jobs have equal names.
        """
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        places = {into / Path(artifact.name).name: artifact for artifact in self.artifacts()}
        there = {path for path in into.iterdir() if not path.name.startswith(".")}
        for path in sorted(there):
            if path not in places or not path.is_file() or sha256_of(path) != places[path].sha256:
                why = f"holds {path.name}, which is no file of job {self.id}; name another folder"
                raise FileExistsError(errno.EEXIST, why, str(into))
        selected = [path for path, artifact in places.items() if kind in (None, artifact.kind)]
        for path in selected:
            if path not in there:
                self.save(places[path], path)
        return selected

    def save_pictures(self, folder: str | Path) -> tuple[list[Path], dict[str, str]]:
        """Save the pictures of a job that writes zips, each under its name; replace existing files.

        Return their paths, and the reasons for pictures that were left out, by name.
        """
        into, saved, left_out = Path(folder), list[Path](), dict[str, str]()
        into.mkdir(parents=True, exist_ok=True)
        for shard in self.artifacts("shard"):
            with (
                TemporaryDirectory(prefix="forger-") as beside,
                ZipFile(self.save(shard, Path(beside) / "x")) as packed,
            ):
                for name in packed.namelist():
                    if name == LEFT_OUT_FILE:
                        rows = csv.DictReader(packed.read(name).decode().splitlines())
                        left_out |= {row["file"]: row["reason"] for row in rows}
                    elif name != LABELS_FILE:
                        saved.append(Path(packed.extract(name, into)))
        return saved, left_out

    def link(self, artifact: str) -> str:
        """Return the address of an artifact's bytes."""
        return f"{self._connection.url}{self._path}/artifacts/{artifact}"

    def _post(self, verb: str) -> "Job":
        self.reply = self._connection.read(JobOut, f"{self._path}/{verb}", "POST")
        return self

    def _repr_html_(self) -> str:
        picture = None
        # Also a job that was deleted, and one whose service is away, shows what is known of it.
        with suppress(Unreachable, ForgerProblem):
            picture = self.refresh().picture()
        return notebook.job(self.reply, picture, self.studio)


def _versions(reply: JobOut) -> set[str | None]:
    """Return name@version of the models that a job published and used."""
    weights = None if reply.spec.kind == "train" else reply.spec.weights
    return {None if each is None else each.model for each in (reply.result, weights)}


class Jobs:
    """An iterable of jobs, newest first. Each iteration reads pages from the service as needed."""

    def __init__(self, connection: Connection, filters: Mapping[str, str]) -> None:
        self._connection = connection
        self._filters = filters

    def __iter__(self) -> Iterator[Job]:
        model = self._filters.get("model", "")
        fields: dict[str, Any] = {"limit": PAGE, **self._filters}
        # The service filters by names.
        if "@" in model:
            fields["model"] = model.partition("@")[0]
        while True:
            page = self._connection.read(JobPage, "/jobs", params=fields)
            for reply in page.data:
                if "@" not in model or model in _versions(reply):
                    yield Job(self._connection, reply)
            if not page.has_more:
                return
            fields["after"] = page.next_cursor

    def __repr__(self) -> str:
        which = ", ".join(f"{name} {value}" for name, value in self._filters.items())
        return f"<Jobs at {self._connection.url}{f': {which}' if which else ''}>"

    def _repr_html_(self) -> str:
        return notebook.jobs([job.reply for job in islice(self, NEWEST)])
