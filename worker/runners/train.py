"""Run a job that trains, and record its progress in the job's row."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.gc_freeze import import_without_gc
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
from worker.runners.inputs import load_data
from worker.runners.memory import memory_advice
from worker.runners.numerics import agree_numerics
from worker.runners.ranks import start_ranks
from worker.runners.report_writer import ReportWriter
from worker.runners.supervisor_link import StopRequested, SupervisorLink
from worker.runners.timing import RemainingTime, StartupTimer

if TYPE_CHECKING:  # torch takes seconds to import; the first heartbeat comes before it
    from data.readers.builtin import Data
    from models.checkpoint import SavedCheckpoint
    from worker.training.health import Health, LiveEvaluation
    from worker.training.listener import Finished, StepReport, Stop
    from worker.training.numerics import Numerics
    from worker.training.watch import BestEvaluation

log = get_logger(__name__)


class StartDamaged(JobFailure):
    """The weights that the job starts from are missing or damaged."""

    code = "start_damaged"


class TrainRunner:
    """One attempt. It is the training loop's listener, and records what the loop reports in the job's row."""

    def __init__(self, job: JobView, spec: Train, fence: int, link: SupervisorLink) -> None:
        self._job = job
        self._job_id = job.id
        self._spec = spec
        self._fence = fence
        self._link = link
        self._folder = get_settings().checkpoints(job.id)
        self._latest: Path | None = None
        self._reports = ReportWriter(partial(attempts.record_reports, job.id, fence))
        self._startup = StartupTimer()
        self._start_step = 0
        """the step from which the attempt continues"""
        self._step = 0
        """the current step"""
        self._remaining: RemainingTime | None = None
        self._first_step_done = False

    def run(self) -> None:
        """Train the job to its end or until an order stops it; the job's row says which."""
        try:
            with (
                memory_advice("use a smaller batch_size, narrower networks or smaller pictures"),
                self._reports,
            ):
                self._run()
        except StopRequested:
            attempts.stop(self._job_id, self._fence)

    def _run(self) -> None:
        with import_without_gc("worker.training.loop"):
            from worker.training import numerics
            from worker.training.listener import Finished
            from worker.training.loop import train

            self._startup.end_phase("imports")
            plugins.require(self._spec.recipe)
            # Deterministic algorithms make torch import more modules, a third as large as all before.
            agreed = agree_numerics(self._job, self._fence)
            numerics.pin_threads(agreed)
        self._startup.end_phase("settling")
        self._check_stop(now=True)
        data = self._load()
        self._startup.end_phase("data")
        self._check_stop(now=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._latest = self._resume_point()
        attempts.sweep_files(self._job_id, self._fence)
        start = self._start() if self._latest is None else None
        recipe = self._spec.recipe
        if recipe.budget.minutes is not None:
            recipe = self._fix_step_budget(recipe, data, agreed, start)
        self._remaining = RemainingTime(recipe.budget.steps, None if recipe.watch is None else recipe.watch.every)
        with start_ranks(recipe, agreed, self._scratch, job=self._job_id, attempt=self._fence):
            result = train(
                recipe,
                data,
                self,
                folder=self._folder,
                attempt=self._fence,
                resume=self._latest,
                start=start,
                numerics=agreed,
                weights=get_settings().data,
                judges=get_settings().judges,
                extended_at=self._spec.extended_at,
                graphs=get_settings().cuda_graphs,
            )
        self._reports.flush()
        if isinstance(result, Finished):
            self._publish(recipe, agreed, result)
        else:
            raise StopRequested

    def beat(self, step: int) -> None:
        if self._remaining is not None and step != self._step:
            self._remaining.step_ended(step, time.monotonic())
            self._link.remaining_s = self._remaining.remaining_s
        self._step = step
        self._link.beat(step)
        if not self._first_step_done and step > self._start_step:
            self._first_step_done = True
            self._startup.end_phase("first_step")
            log.info("first_step", step=step, **self._startup.seconds)

    def report(self, report: "StepReport") -> None:
        self._reports.add_report(report.step, report.values, report.draw, report.probe)

    def evaluated(self, evaluation: "LiveEvaluation") -> None:
        values: dict[str, float | None] = {f"figure/{name}": value for name, value in evaluation.figures.items()}
        if evaluation.critic_accuracy is not None:
            values["gauge/critic_accuracy"] = evaluation.critic_accuracy
        if evaluation.untouched is not None:
            values["gauge/untouched"] = evaluation.untouched
        self._reports.add_report(evaluation.step, values)

    def trouble(self, step: int, kind: str, message: str) -> None:
        log.warning("training_trouble", kind=kind, step=step, message=message)
        data = {"kind": kind, "step": step, "message": message}
        self._record(attempts.record_event, "health", data)

    def health(self, health: "Health") -> None:
        self._record(attempts.record_health, asdict(health))

    def best(self, best: "BestEvaluation") -> None:
        self._record(attempts.record_best, best.step, best.metric, best.value)

    def saved(self, saved: "SavedCheckpoint") -> None:
        self._record(attempts.record_checkpoint, saved.step, saved.path.name, saved.sha256, saved.size)
        self._latest = saved.path
        if not self._first_step_done:
            self._startup.end_phase("preparing")

    def _record(self, record: Callable[..., None], *values: Any) -> None:
        """Call `record` on the writing thread, after all that was reported before."""
        self._reports.add_write(partial(record, self._job_id, self._fence, *values))

    def should_stop(self) -> "Stop | None":
        from worker.training.listener import Stop

        return None if self._link.order is None else Stop(self._link.order)

    def _scratch(self, purpose: str) -> AbstractContextManager[Path]:
        return attempt_files.scratch(self._folder, purpose, self._fence)

    def _load(self) -> "Data":
        return load_data(self._spec.recipe.data, "train", self._check_stop)

    def _check_stop(self, *, now: bool = False) -> None:
        """Send a heartbeat before the first step or after the last one. Raises StopRequested."""
        self._link.check_stop(self._step, now=now)

    def _fix_step_budget(self, recipe: Recipe, data: "Data", numerics: "Numerics", start: Path | None) -> Recipe:
        """Turn the budget's minutes into steps, once: from then on the job depends on its seed and the step alone."""
        from worker.training import throughput

        settings = get_settings()
        with self._scratch("trial") as folder:
            measured = throughput.measure_throughput(
                recipe,
                data,
                numerics,
                self._check_stop,
                folder=folder,
                start=start,
                weights=settings.data,
                judges=settings.judges,
                graphs=settings.cuda_graphs,
            )
        return attempts.fix_budget(
            self._job_id, self._fence, throughput.steps_within(recipe, measured, settings.max_steps)
        )

    def _resume_point(self) -> Path | None:
        """Return the newest intact checkpoint, and rewind the job to its step; None: start from step 0."""
        recorded = attempts.recorded_checkpoints(self._job_id)
        for row in recorded:
            path = self._folder / row.file
            if path.is_file() and sha256_of(path, self._check_stop) == row.sha256:
                self._rewind(row.step)
                return path
            self._report_damage(row)
        if recorded:
            self._rewind(0)
        return None

    def _rewind(self, step: int) -> None:
        self._start_step = step
        attempts.rewind(self._job_id, self._fence, step)
        extended_at = self._spec.extended_at
        if extended_at is not None and step < extended_at:
            reason = (
                f"The job was extended at step {extended_at} and continues from step {step}, before that: the steps in "
                "between now follow the schedule of the longer budget, so they give other weights than before."
            )
            attempts.record_event(self._job_id, self._fence, "exactness_lost", {"reason": reason})

    def _start(self) -> Path | None:
        """Return the verified checkpoint of another job whose weights this one starts from, if any."""
        weights, path = self._spec.start_from, self._folder / START_FILE
        if weights is None:
            return None
        if not path.is_file() or sha256_of(path, self._check_stop) != weights.sha256:
            raise StartDamaged("The weights that this job starts from are missing or damaged. Create it again.")
        return path

    def _report_damage(self, row: CheckpointView) -> None:
        message = f"The checkpoint of step {row.step} is missing or damaged; the one before it is used."
        self.trouble(row.step, "checkpoint_damaged", message)
        self._reports.flush()

    def _publish(self, recipe: Recipe, numerics: "Numerics", result: "Finished") -> None:
        """Export the best or the last checkpoint as the job's model, with its model card."""
        from models.export import export_checkpoint

        path, step = self._checkpoint_to_serve(result)
        seconds = attempts.elapsed_s(self._job_id)
        card = {"steps": result.step, "seconds": round(seconds, 3), "device": numerics.device}
        figures, health = {}, result.health
        if result.served is not None and result.served.best.step == step:
            figures, health = result.served.figures, result.served.health
            card["best"] = {**asdict(result.served.best), "message": result.served.reason}
        if health is not None:
            card["health"] = asdict(health)
        with self._scratch("export") as folder:
            export = folder / "export.safetensors"
            export_checkpoint(recipe, path, export, self._check_stop)
            self._record_export(
                export,
                card,
                step=step,
                figures=figures,
                provenance=None if result.provenance is None else asdict(result.provenance),
                reason=None if result.ending is None else (result.ending.code, result.ending.message),
            )

    def _record_export(self, export: Path, card: dict[str, Any], **measured: Any) -> None:
        """Publish the export, and end the job."""
        attempts.finish_training(self._job_id, self._fence, export, card, **measured)

    def _checkpoint_to_serve(self, result: "Finished") -> tuple[Path, int]:
        """Return the best checkpoint, verified, and its step; the last one if that is damaged or without a watch."""
        assert self._latest is not None
        if result.served is None or result.served.best.step == result.step:
            return self._latest, result.step
        step = result.served.best.step
        row = next((row for row in attempts.recorded_checkpoints(self._job_id) if row.step == step), None)
        path = None if row is None else self._folder / row.file
        if row is not None and path is not None and path.is_file() and sha256_of(path, self._check_stop) == row.sha256:
            return path, step
        message = f"The best checkpoint, that of step {step}, is missing or damaged; the last one is served."
        self.trouble(step, "checkpoint_damaged", message)
        self._reports.flush()
        return self._latest, result.step
