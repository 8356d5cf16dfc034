"""The listener protocol: what a training reports while it runs, and how it is stopped."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from models.checkpoint import SavedCheckpoint
from worker.evaluation.metric_plan import Provenance
from worker.training.health import Health, LiveEvaluation
from worker.training.watch import BestEvaluation, EarlyEnd, ServedCheckpoint


class Stop(StrEnum):
    """The reason why a listener ends an attempt: the job is cancelled, paused, or released for another worker."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RELEASE = "release"


@dataclass(frozen=True)
class StepReport:
    """The losses, gauges and figures of the sample sheet at one step (None where not finite), the sheet and the probe.

    `draw` returns the sheet as PNG and `probe` the probe as JSON, in any thread and at any time; they are None in
    reports without one.
    """

    step: int
    values: dict[str, float | None]
    draw: Callable[[], bytes] | None
    probe: Callable[[], bytes] | None = None


@dataclass(frozen=True)
class Finished:
    """The result of a training that reached its end. `served` None: the last checkpoint is served."""

    step: int
    served: ServedCheckpoint | None = None
    provenance: Provenance | None = None
    ending: EarlyEnd | None = None
    """why the training ended before its budget, if it did"""
    health: Health | None = None
    """the health at the last step"""


@dataclass(frozen=True)
class Stopped:
    """The result of a training that was stopped at `step`.

    PAUSE and RELEASE save a checkpoint of this step, CANCEL does not. Nothing is saved before the first step.
    """

    reason: Stop
    step: int


class Listener(Protocol):
    """A receiver of reports that may also stop the training. Nothing a listener does changes the numbers."""

    def beat(self, step: int) -> None: ...
    def report(self, report: StepReport) -> None: ...
    def evaluated(self, evaluation: LiveEvaluation) -> None: ...
    def trouble(self, step: int, kind: str, message: str) -> None: ...
    def health(self, health: Health) -> None: ...
    def saved(self, saved: SavedCheckpoint) -> None: ...
    def best(self, best: BestEvaluation) -> None: ...
    def should_stop(self) -> Stop | None: ...


class NullListener:
    """A listener to derive from: it ignores every report and never stops."""

    def beat(self, step: int) -> None:
        pass

    def report(self, report: StepReport) -> None:
        pass

    def evaluated(self, evaluation: LiveEvaluation) -> None:
        pass

    def trouble(self, step: int, kind: str, message: str) -> None:
        pass

    def health(self, health: Health) -> None:
        pass

    def saved(self, saved: SavedCheckpoint) -> None:
        pass

    def best(self, best: BestEvaluation) -> None:
        pass

    def should_stop(self) -> Stop | None:
        return None
