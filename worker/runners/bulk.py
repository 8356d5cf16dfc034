"""Run a job that generates or translates in bulk: write shard after shard, each once."""

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
from worker.runners.bulk_pictures import BulkExamples, GeneratedExamples, TranslatedExamples
from worker.runners.bulk_sources import open_source
from worker.runners.memory import memory_advice
from worker.runners.numerics import agree_numerics
from worker.runners.shard_writer import MEDIA_TYPES, ShardExample, ShardWriter
from worker.runners.supervisor_link import StopRequested, SupervisorLink
from worker.runners.timing import RemainingTime

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from serving.loaded import LoadedModel


class BulkRunner:
    """One attempt. Recorded shards stay; the attempt starts at the first shard that is missing."""

    def __init__(self, job: JobView, spec: Generate | Translate, fence: int, link: SupervisorLink) -> None:
        self._job = job
        self._spec = spec
        self._fence = fence
        self._link = link
        self._folder = get_settings().checkpoints(job.id)
        self._done = 0
        """number of examples written"""
        self._remaining: RemainingTime | None = None

    def run(self) -> None:
        """Write all shards, or stop when ordered to; the job's row says which."""
        import torch

        try:
            with (
                torch.inference_mode(),
                memory_advice("let the job run where there is more, then create it again"),
            ):
                self._run()
        except StopRequested:
            attempts.stop(self._job.id, self._fence)

    def _run(self) -> None:
        self._beat()
        with self._open_output(self._loaded()) as output:
            self._write_shards(output)

    def _write_shards(self, output: BulkExamples) -> None:
        self._beat()
        shards.record_total(self._job.id, self._fence, output.total)
        attempts.sweep_files(self._job.id, self._fence)
        self._done = first = self._resume_point()
        writer = ShardWriter(self._spec.format, output.array_name, output.class_names)
        self._remaining = RemainingTime(output.total)
        examples = self._counted(output.examples(first))
        for start in range(first, output.total, self._spec.shard):
            with attempt_files.scratch(self._folder, "shard", self._fence) as folder:
                self._write(folder, writer, examples, start, min(self._spec.shard, output.total - start))
        shards.finish(self._job.id, self._fence)

    def _loaded(self) -> "LoadedModel":
        """Load the model as the engine does, so that it computes the same pictures."""
        import torch

        from models.export import load_export
        from serving.loaded import LoadedModel

        numerics = agree_numerics(self._job, self._fence)
        export = load_export(inputs.verified_weights(self._job.id, self._spec.weights, self._beat))
        return LoadedModel(export, torch.device(numerics.device), numerics.threads)

    @contextmanager
    def _open_output(self, loaded: "LoadedModel") -> Iterator[BulkExamples]:
        if isinstance(self._spec, Generate):
            yield GeneratedExamples(loaded, self._spec)
            return
        with open_source(self._spec, self._folder, self._beat) as source:
            yield TranslatedExamples(loaded, self._spec, source, self._beat)

    def _resume_point(self) -> int:
        """Count the examples in the intact shards before the first damaged one, and rewind the job to that number."""
        store, done = Store(get_settings().artifacts), 0
        for shard in shards.recorded(self._job.id):
            if store.defect(shard.sha256) is not None:
                break
            done = shard.step or 0
        if self._job.step > done:
            attempts.rewind(self._job.id, self._fence, done)
        return done

    def _write(
        self, folder: Path, writer: ShardWriter, examples: Iterable[ShardExample], first: int, count: int
    ) -> None:
        """Write one shard in `folder` and record it."""
        name = f"shard-{first // self._spec.shard:04d}.{self._spec.format}"
        path = folder / name
        writer.write(path, examples, first, count)
        shards.record(self._job.id, self._fence, first + count, path, name, MEDIA_TYPES[self._spec.format])

    def _counted(self, examples: Iterable[ShardExample]) -> Iterator[ShardExample]:
        """Yield the examples, count them, and send a heartbeat after each. Raises StopRequested."""
        for example in examples:
            yield example
            self._done += 1
            self._update_remaining()
            self._beat()

    def _update_remaining(self) -> None:
        """Update the remaining seconds that the next heartbeat reports."""
        assert self._remaining is not None
        self._remaining.step_ended(self._done, time.monotonic())
        self._link.remaining_s = self._remaining.remaining_s

    def _beat(self) -> None:
        self._link.check_stop(self._done)
