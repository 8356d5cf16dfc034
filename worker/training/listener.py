"""Listener: what a training reports while it runs, and what may stop it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from models.checkpoint import SavedCheckpoint
from worker.evaluation.metric_plan import Provenance
from worker.training.health import Evaluation, Health
from worker.training.watch import Best, Ending, Served


class Stop(StrEnum):
    """Why a listener ends an attempt: the job is cancelled, paused, or given back for another worker."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RELEASE = "release"


@dataclass(frozen=True)
class Report:
    """Losses, gauges and the sample's own figures at one step (None where not finite), and the sample.

    `draw` makes the sample's PNG, in any thread and at any time; None at reports that have no sample.
    """

    step: int
    values: dict[str, float | None]
    draw: Callable[[], bytes] | None


@dataclass(frozen=True)
class Finished:
    """To be served is the checkpoint of `served`, else the last one; `ending` says why it ended early, if it did."""

    step: int
    served: Served | None = None
    provenance: Provenance | None = None
    ending: Ending | None = None
    health: Health | None = None
    """at the last step"""


@dataclass(frozen=True)
class Stopped:
    """On PAUSE and RELEASE a checkpoint of this step was saved; on CANCEL none, nor before the first step."""

    why: Stop
    step: int


class Listener(Protocol):
    """Who is told, and who is asked. Nothing a listener does changes the numbers."""

    def beat(self, step: int) -> None: ...
    def report(self, report: Report) -> None: ...
    def evaluated(self, evaluation: Evaluation) -> None: ...
    def trouble(self, step: int, kind: str, message: str) -> None: ...
    def health(self, health: Health) -> None: ...
    def saved(self, saved: SavedCheckpoint) -> None: ...
    def best(self, best: Best) -> None: ...
    def should_stop(self) -> Stop | None: ...


class Quiet:
    """A listener to build on: it takes note of nothing and never stops."""

    def beat(self, step: int) -> None:
        pass

    def report(self, report: Report) -> None:
        pass

    def evaluated(self, evaluation: Evaluation) -> None:
        pass

    def trouble(self, step: int, kind: str, message: str) -> None:
        pass

    def health(self, health: Health) -> None:
        pass

    def saved(self, saved: SavedCheckpoint) -> None:
        pass

    def best(self, best: Best) -> None:
        pass

    def should_stop(self) -> Stop | None:
        return None
