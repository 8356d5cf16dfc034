"""A job as its client holds it: what was last read of it, and what can be asked of it."""

import csv
import errno
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from forger import events, notebook
from forger.connection import Connection, once
from forger.events import Event
from forger.files import sha256_of, write_whole
from forger.picture import Picture
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
from forger.wire import LABELS, LEFT_OUT, REPLY_POINTS, REPLY_POINTS_MOST, TERMINAL, JobState, TableFormat

PAGE = 50
"""jobs read at once"""
NEWEST = 20
"""jobs that a notebook shows"""


class Job:
    """`seen` is the newest reading; `refresh`, `wait` and the verbs renew it."""

    def __init__(self, connection: Connection, seen: JobOut) -> None:
        self._connection = connection
        self._path = f"/jobs/{seen.id}"
        self.seen = seen

    def __repr__(self) -> str:
        seen = self.seen
        return f"<Job {seen.id}: {seen.family or 'custom'} on {seen.dataset}, {seen.state}, {self.course}>"

    @property
    def id(self) -> str:
        return self.seen.id

    @property
    def state(self) -> JobState:
        return self.seen.state

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def course(self) -> str:
        """How far it has come: `5 of 20`."""
        return notebook.course(self.seen.progress.step, self.seen.progress.total)

    @property
    def figures(self) -> dict[str, float | None]:
        """What was measured of what it published, or of what it evaluated; empty before."""
        return self.seen.result.figures if self.seen.result else {}

    @property
    def model(self) -> str | None:
        """name@version of what it published; None until it has."""
        return self.seen.result.model if self.seen.result else None

    def refresh(self) -> "Job":
        """Read the job again."""
        self.seen = self._connection.read(JobOut, self._path)
        return self

    def follow(self, after: int = 0) -> Iterator[Event]:
        """Yield every event past `after` as it comes, once and in order, over dropped connections too; until it ends.

        >>> for event in job.follow():
        ...     print(event)
        """
        yield from events.follow(self._connection, self.id, after)
        self.refresh()

    def wait(self) -> "Job":
        """Return when the job has ended; `state` says how."""
        for _ in self.follow():
            pass
        return self.refresh()

    def cancel(self) -> "Job":
        """End the job at its next step."""
        return self._told("cancel")

    def pause(self) -> "Job":
        """Save the job at its next step and free the device."""
        return self._told("pause")

    def resume(self) -> "Job":
        """Go on with a paused job."""
        return self._told("resume")

    def extend(self, steps: int, *, idempotency_key: str | None = None) -> "Job":
        """Train so many steps more, of a training that has succeeded. However bad the line, one call adds them once.

        So do calls of one `idempotency_key`.
        """
        body = {"budget": {"steps": steps}}
        self.seen = self._connection.read(
            JobOut, f"{self._path}/extend", "POST", json=body, headers=once(idempotency_key)
        )
        return self

    def delete(self) -> None:
        """Delete the job with all it left but what it published. Only when it has ended."""
        self._connection.ask("DELETE", self._path)

    def events(self, after: int = 0) -> Iterator[EventOut]:
        """Read the log as it is now."""
        while page := self._connection.read(EventList, f"{self._path}/events", params={"after": after}).data:
            yield from page
            after = page[-1].seq

    def metrics(
        self, *names: str, after_step: int = -1, points: int = REPLY_POINTS
    ) -> dict[str, list[tuple[int, float | None]]]:
        """Read curves by name, as (step, value); a value that was not finite is None. Those of more points are thinned.

        >>> steps, values = zip(*job.metrics("figure/frechet")["figure/frechet"])
        """
        asked = {"name": list(names), "after_step": after_step, "points": points}
        curves = self._connection.read(CurveList, f"{self._path}/metrics", params=asked).data
        return {curve.name: curve.points for curve in curves}

    def curves(self, format_: TableFormat, *names: str, points: int = REPLY_POINTS_MOST) -> bytes:
        """Read the same as a file, a line for each point: curve, step, value, and whether the curve is thinned."""
        asked = {"name": list(names), "points": points, "format": format_}
        return self._connection.ask("GET", f"{self._path}/metrics", params=asked).content

    def measured(self) -> list[JobFigure]:
        """Read its figures, where they come from and how to cite each; of a training those of evaluations too."""
        return self._connection.read(JobFigureList, f"{self._path}/figures").data

    def checkpoints(self) -> list[CheckpointOut]:
        """List the checkpoints that are kept, newest first."""
        return self._connection.read(CheckpointList, f"{self._path}/checkpoints").data

    def samples(self) -> list[SampleOut]:
        """List the pictures of the fixed noise at each report, or at some of them, by step."""
        return self._connection.read(SampleList, f"{self._path}/samples").data

    def artifacts(self, kind: str | None = None) -> list[ArtifactOut]:
        """List the files that the job left: shard, export, sample or evaluation."""
        asked = {} if kind is None else {"kind": kind}
        return self._connection.read(ArtifactList, f"{self._path}/artifacts", params=asked).data

    def picture(self, sample: SampleOut | None = None) -> Picture | None:
        """Fetch that sample, or the newest; None when there is none."""
        known = [sample] if sample else self.samples()
        return Picture.of(self._connection.ask("GET", self._connection.path(known[-1].href))) if known else None

    def save(self, artifact: ArtifactOut, path: str | Path) -> Path:
        """Save the artifact's bytes as a file, whole or not at all."""
        with self._connection.stream(self._connection.path(artifact.href)) as reply:
            write_whole(Path(path), reply.iter_bytes())
        return Path(path)

    def save_all(self, folder: str | Path, kind: str | None = None) -> list[Path]:
        """Save every artifact, or those of a kind, under their names in the folder; what is there is not fetched.

        Raises FileExistsError where something else lies there: files of two jobs look alike.
        """
        into = Path(folder)
        into.mkdir(parents=True, exist_ok=True)
        places = {into / Path(artifact.name).name: artifact for artifact in self.artifacts()}
        there = {path for path in into.iterdir() if not path.name.startswith(".")}
        for path in sorted(there):
            if path not in places or not path.is_file() or sha256_of(path) != places[path].sha256:
                why = f"holds {path.name}, which is not what job {self.id} left; name another folder"
                raise FileExistsError(errno.EEXIST, why, str(into))
        wanted = [path for path, artifact in places.items() if kind in (None, artifact.kind)]
        for path in wanted:
            if path not in there:
                self.save(places[path], path)
        return wanted

    def save_pictures(self, folder: str | Path) -> tuple[list[Path], dict[str, str]]:
        """Save the pictures of a job that leaves zips, each under its own name; what is in the folder is replaced.

        Return their paths, and the reasons of those that were left out, by name.
        """
        into, saved, left_out = Path(folder), list[Path](), dict[str, str]()
        into.mkdir(parents=True, exist_ok=True)
        for shard in self.artifacts("shard"):
            with (
                TemporaryDirectory(prefix="forger-") as beside,
                ZipFile(self.save(shard, Path(beside) / "x")) as packed,
            ):
                for name in packed.namelist():
                    if name == LEFT_OUT:
                        rows = csv.DictReader(packed.read(name).decode().splitlines())
                        left_out |= {row["file"]: row["reason"] for row in rows}
                    elif name != LABELS:
                        saved.append(Path(packed.extract(name, into)))
        return saved, left_out

    def link(self, artifact: str) -> str:
        """Return the address of an artifact's bytes."""
        return f"{self._connection.url}{self._path}/artifacts/{artifact}"

    def _told(self, verb: str) -> "Job":
        self.seen = self._connection.read(JobOut, f"{self._path}/{verb}", "POST")
        return self

    def _repr_html_(self) -> str:
        return notebook.job(self.refresh().seen, self.picture())


class Jobs:
    """Jobs, newest first. Each time it is iterated, pages are read from the service while they are asked for."""

    def __init__(self, connection: Connection, filters: Mapping[str, str]) -> None:
        self._connection = connection
        self._filters = filters

    def __iter__(self) -> Iterator[Job]:
        asked: dict[str, Any] = {"limit": PAGE, **self._filters}
        while True:
            page = self._connection.read(JobPage, "/jobs", params=asked)
            yield from (Job(self._connection, seen) for seen in page.data)
            if not page.has_more:
                return
            asked["after"] = page.next_cursor

    def __repr__(self) -> str:
        which = ", ".join(f"{name} {value}" for name, value in self._filters.items())
        return f"<Jobs at {self._connection.url}{f': {which}' if which else ''}>"

    def _repr_html_(self) -> str:
        return notebook.jobs([job.seen for job in islice(self, NEWEST)])
