"""Run a job that generates or translates: shard after shard, each written once."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.settings import get_settings
from app.core.store import Store
from app.services.job_spec import Generate, Translate
from app.services.jobs import attempt_files, attempts, shards
from app.services.views import JobView
from worker.runners import inputs
from worker.runners.bulk_pictures import Drawing, Making, Restyling
from worker.runners.bulk_sources import source_of
from worker.runners.memory import memory_advice
from worker.runners.numerics import settle
from worker.runners.shard_writer import MEDIA, Made, Writer
from worker.runners.supervisor_link import CalledOff, Lifeline
from worker.runners.timing import Remaining

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from serving.loaded import LoadedModel


class Bulk:
    """One attempt. Shards that were recorded stay; the first that is not there is begun anew."""

    def __init__(self, job: JobView, spec: Generate | Translate, fence: int, lifeline: Lifeline) -> None:
        self._job = job
        self._spec = spec
        self._fence = fence
        self._lifeline = lifeline
        self._folder = get_settings().checkpoints(job.id)
        self._done = 0
        """pictures written"""
        self._remaining: Remaining | None = None

    def run(self) -> None:
        """Makes all, or is called off; the job's row says which."""
        import torch

        try:
            with (
                torch.inference_mode(),
                memory_advice("let the job run where there is more, then create it again"),
            ):
                self._run()
        except CalledOff:
            attempts.stopped(self._job.id, self._fence)

    def _run(self) -> None:
        self._beat()
        with self._making(self._loaded()) as making:
            self._make(making)

    def _make(self, making: Making) -> None:
        self._beat()
        shards.settle_total(self._job.id, self._fence, making.total)
        attempts.sweep_files(self._job.id, self._fence)
        self._done = first = self._resume_point()
        writer = Writer(self._spec.format, making.of, making.class_names)
        self._remaining = Remaining(making.total)
        made = self._counted(making.made(first))
        for start in range(first, making.total, self._spec.shard):
            with attempt_files.scratch(self._folder, "shard", self._fence) as folder:
                self._write(folder, writer, made, start, min(self._spec.shard, making.total - start))
        shards.finish(self._job.id, self._fence)

    def _loaded(self) -> "LoadedModel":
        """The model as the engine has it, so that it computes the same."""
        import torch

        from models.export import load_export
        from serving.loaded import LoadedModel

        settled = settle(self._job, self._fence)
        export = load_export(inputs.verified_weights(self._job.id, self._spec.weights, self._beat))
        return LoadedModel(export, torch.device(settled.device), settled.threads)

    @contextmanager
    def _making(self, loaded: "LoadedModel") -> Iterator[Making]:
        if isinstance(self._spec, Generate):
            yield Drawing(loaded, self._spec)
            return
        with source_of(self._spec, self._folder, self._beat) as source:
            yield Restyling(loaded, self._spec, source, self._beat)

    def _resume_point(self) -> int:
        """Pictures in the shards that are there, up to the first that is not; the job is rewound to it."""
        store, done = Store(get_settings().artifacts), 0
        for shard in shards.recorded(self._job.id):
            if store.flaw(shard.sha256) is not None:
                break
            done = shard.step or 0
        if self._job.step > done:
            attempts.rewind(self._job.id, self._fence, done)
        return done

    def _write(self, folder: Path, writer: Writer, made: Iterable[Made], first: int, count: int) -> None:
        """Write one shard in `folder` and record it."""
        name = f"shard-{first // self._spec.shard:04d}.{self._spec.format}"
        path = folder / name
        writer.write(path, made, first, count)
        shards.record(self._job.id, self._fence, first + count, path, name, MEDIA[self._spec.format])

    def _counted(self, made: Iterable[Made]) -> Iterator[Made]:
        """With a heartbeat after each. Raises CalledOff."""
        for one in made:
            yield one
            self._done += 1
            self._note_left()
            self._beat()

    def _note_left(self) -> None:
        """Let the next heartbeat say how long the rest takes."""
        assert self._remaining is not None
        self._remaining.step_ended(self._done, time.monotonic())
        self._lifeline.left_s = self._remaining.left_s

    def _beat(self) -> None:
        self._lifeline.heed(self._done)
