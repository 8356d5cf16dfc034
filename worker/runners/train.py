"""Run a job that trains: what happens goes into the job's row."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.gc_freeze import uncollected
from app.core.logging import get_logger
from app.core.settings import get_settings
from app.core.store import sha256_of
from app.services import plugins
from app.services.job_spec import Train
from app.services.jobs import attempt_files, attempts
from app.services.models.source_weights import START_FILE
from app.services.views import CheckpointView, JobView
from models.errors import JobFailure
from models.spec.recipe import Recipe
from worker.runners.inputs import load
from worker.runners.memory import memory_advice
from worker.runners.numerics import settle
from worker.runners.ranks import together
from worker.runners.report_writer import Reports
from worker.runners.supervisor_link import CalledOff, Lifeline
from worker.runners.timing import Beginning, Remaining

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from data.readers.builtin import Data
    from models.checkpoint import SavedCheckpoint
    from worker.training.health import Evaluation, Health
    from worker.training.listener import Finished, Report, Stop
    from worker.training.numerics import Numerics
    from worker.training.watch import Best

log = get_logger(__name__)


class StartDamaged(JobFailure):
    """The job cannot begin as it should."""

    code = "start_damaged"


class Runner:
    """Implements the training loop's listener: what happens goes into the job's row."""

    def __init__(self, job: JobView, spec: Train, fence: int, lifeline: Lifeline) -> None:
        self._job = job
        self._job_id = job.id
        self._spec = spec
        self._fence = fence
        self._lifeline = lifeline
        self._folder = get_settings().checkpoints(job.id)
        self._latest: Path | None = None
        self._reports = Reports(partial(attempts.record_reports, job.id, fence))
        self._beginning = Beginning()
        self._from = 0
        """the step that the attempt goes on from"""
        self._step = 0
        """the step that it is at"""
        self._remaining: Remaining | None = None
        self._begun = False

    def run(self) -> None:
        """Trains the job to its end, or until it is called off; the job's row says which."""
        try:
            with (
                memory_advice("use a smaller batch_size, narrower networks or smaller pictures"),
                self._reports,
            ):
                self._run()
        except CalledOff:
            attempts.stopped(self._job_id, self._fence)

    def _run(self) -> None:
        with uncollected("worker.training.loop"):
            from worker.training import numerics
            from worker.training.listener import Finished
            from worker.training.loop import train

            self._beginning.over("imports")
            plugins.require(self._spec.recipe)
            settled = settle(
                self._job, self._fence
            )  # another part of torch comes with it, a third as large as all before
            numerics.hold_cores(settled)
        self._beginning.over("settling")
        self._heed(now=True)
        loaded = self._load()
        self._beginning.over("data")
        self._heed(now=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._latest = self._resume_point()
        attempts.sweep_files(self._job_id, self._fence)
        start = self._start() if self._latest is None else None
        recipe = self._spec.recipe
        if recipe.budget.minutes is not None:
            recipe = self._settle_budget(recipe, loaded, settled, start)
        self._remaining = Remaining(recipe.budget.steps, None if recipe.watch is None else recipe.watch.every)
        with together(recipe, settled, self._scratch, job=self._job_id, attempt=self._fence):
            ended = train(
                recipe,
                loaded,
                self,
                folder=self._folder,
                attempt=self._fence,
                resume=self._latest,
                start=start,
                numerics=settled,
                weights=get_settings().data,
                judges=get_settings().judges,
                extended_at=self._spec.extended_at,
                graphs=get_settings().cuda_graphs,
            )
        self._reports.flush()
        if isinstance(ended, Finished):
            self._publish(recipe, settled, ended)
        else:
            attempts.stopped(self._job_id, self._fence)

    def beat(self, step: int) -> None:
        if self._remaining is not None and step != self._step:
            self._remaining.step_ended(step, time.monotonic())
            self._lifeline.left_s = self._remaining.left_s
        self._step = step
        self._lifeline.beat(step)
        if not self._begun and step > self._from:
            self._begun = True
            self._beginning.over("first_step")
            log.info("first_step", step=step, **self._beginning.seconds)

    def report(self, report: "Report") -> None:
        self._reports.add(report.step, report.values, report.draw)

    def evaluated(self, evaluation: "Evaluation") -> None:
        values: dict[str, float | None] = {f"figure/{name}": value for name, value in evaluation.figures.items()}
        if evaluation.critic_accuracy is not None:
            values["gauge/critic_accuracy"] = evaluation.critic_accuracy
        if evaluation.untouched is not None:
            values["gauge/untouched"] = evaluation.untouched
        self._reports.add(evaluation.step, values)

    def trouble(self, step: int, kind: str, message: str) -> None:
        log.warning("trouble", kind=kind, step=step, message=message)
        data = {"kind": kind, "step": step, "message": message}
        self._note(attempts.record_event, "health", data)

    def health(self, health: "Health") -> None:
        self._note(attempts.record_health, asdict(health))

    def best(self, best: "Best") -> None:
        self._note(attempts.record_best, best.step, best.metric, best.value)

    def saved(self, saved: "SavedCheckpoint") -> None:
        self._note(attempts.record_checkpoint, saved.step, saved.path.name, saved.sha256, saved.size)
        self._latest = saved.path
        if not self._begun:
            self._beginning.over("preparing")

    def _note(self, record: Callable[..., None], *told: Any) -> None:
        """Behind all that was told before."""
        self._reports.note(partial(record, self._job_id, self._fence, *told))

    def should_stop(self) -> "Stop | None":
        from worker.training.listener import Stop

        return None if self._lifeline.wanted is None else Stop(self._lifeline.wanted)

    def _scratch(self, purpose: str) -> AbstractContextManager[Path]:
        return attempt_files.scratch(self._folder, purpose, self._fence)

    def _load(self) -> "Data":
        return load(self._spec.recipe.data, "train", self._heed)

    def _heed(self, *, now: bool = False) -> None:
        """Before the first step and after the last one. Raises CalledOff."""
        self._lifeline.heed(self._step, now=now)

    def _settle_budget(self, recipe: Recipe, data: "Data", numerics: "Numerics", start: Path | None) -> Recipe:
        """Minutes become steps, once: from then on the job is a function of its seed and the step."""
        from worker.training import throughput

        settings = get_settings()
        with self._scratch("trial") as folder:
            measured = throughput.measure(
                recipe,
                data,
                numerics,
                self._heed,
                folder=folder,
                start=start,
                weights=settings.data,
                judges=settings.judges,
                graphs=settings.cuda_graphs,
            )
        return attempts.settle_budget(
            self._job_id, self._fence, throughput.steps_within(recipe, measured, settings.max_steps)
        )

    def _resume_point(self) -> Path | None:
        """The newest checkpoint that is whole; the job is rewound to it. None: from the start."""
        recorded = attempts.recorded_checkpoints(self._job_id)
        for row in recorded:
            path = self._folder / row.file
            if path.is_file() and sha256_of(path, self._heed) == row.sha256:
                self._rewind(row.step)
                return path
            self._tell_damage(row)
        if recorded:
            self._rewind(0)
        return None

    def _rewind(self, step: int) -> None:
        self._from = step
        attempts.rewind(self._job_id, self._fence, step)
        extended_at = self._spec.extended_at
        if extended_at is not None and step < extended_at:
            reason = (
                f"The job was extended at step {extended_at} and goes on from step {step}, before that: the steps "
                "between follow the schedule of the longer budget now, and do not come out as they did."
            )
            attempts.record_event(self._job_id, self._fence, "exactness_lost", {"reason": reason})

    def _start(self) -> Path | None:
        """Return the verified checkpoint of another job whose weights this one begins with, if it does."""
        weights, path = self._spec.start_from, self._folder / START_FILE
        if weights is None:
            return None
        if not path.is_file() or sha256_of(path, self._heed) != weights.sha256:
            raise StartDamaged("The weights that this job begins with are missing or damaged. Create it again.")
        return path

    def _tell_damage(self, row: CheckpointView) -> None:
        message = f"The checkpoint of step {row.step} is missing or damaged; the one before it is used."
        self.trouble(row.step, "checkpoint_damaged", message)
        self._reports.flush()

    def _publish(self, recipe: Recipe, settled: "Numerics", ended: "Finished") -> None:
        from models.export import export_checkpoint

        path, step = self._to_serve(ended)
        seconds = attempts.elapsed_s(self._job_id)
        card = {"steps": ended.step, "seconds": round(seconds, 3), "device": settled.device}
        figures, health = {}, ended.health
        if ended.served is not None and ended.served.best.step == step:
            figures, health = ended.served.figures, ended.served.health
            card["best"] = {**asdict(ended.served.best), "message": ended.served.why}
        if health is not None:
            card["health"] = asdict(health)
        with self._scratch("export") as folder:
            export = folder / "export.safetensors"
            export_checkpoint(recipe, path, export, self._heed)
            attempts.succeed(
                self._job_id,
                self._fence,
                export,
                card,
                step=step,
                figures=figures,
                provenance=None if ended.provenance is None else asdict(ended.provenance),
                reason=None if ended.ending is None else (ended.ending.code, ended.ending.message),
            )

    def _to_serve(self, ended: "Finished") -> tuple[Path, int]:
        """The best checkpoint, verified, and its step; the last one where it is damaged or there was no watch."""
        assert self._latest is not None
        if ended.served is None or ended.served.best.step == ended.step:
            return self._latest, ended.step
        step = ended.served.best.step
        row = next((row for row in attempts.recorded_checkpoints(self._job_id) if row.step == step), None)
        path = None if row is None else self._folder / row.file
        if row is not None and path is not None and path.is_file() and sha256_of(path, self._heed) == row.sha256:
            return path, step
        message = f"The best checkpoint, that of step {step}, is missing or damaged; the last one is served."
        self.trouble(step, "checkpoint_damaged", message)
        self._reports.flush()
        return self._latest, ended.step
