"""Define the types of a job's events, and follow them over broken connections."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from forger.connection import Connection
from forger.problems import ForgerProblem, Unreachable
from forger.text import by_player, progress_text, rounded
from forger.wire import TERMINAL, JobState

PATIENCE_S = 120.0
"""seconds for which a lost connection is tried again"""
PAUSE_S = 0.5
NO_CONTENT = 204
_TRANSIENT_STATUSES = (429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class StateChanged:
    seq: int
    state: JobState
    reason: str | None

    @property
    def last(self) -> bool:
        return self.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Metrics:
    """The curves' values at a step; None was not finite."""

    seq: int
    step: int
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    seq: int
    step: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SampleDrawn:
    """A picture of the fixed noise was drawn; `artifact` is its id."""

    seq: int
    step: int
    artifact: str


@dataclass(frozen=True, slots=True)
class ProbeTaken:
    """A probe was taken; `artifact` is its id."""

    seq: int
    step: int
    artifact: str


@dataclass(frozen=True, slots=True)
class ShardWritten:
    """A shard was written: `artifact` is its id, `step` the number of pictures written so far."""

    seq: int
    step: int
    name: str
    artifact: str


@dataclass(frozen=True, slots=True)
class Rewound:
    """A new attempt continues from this step."""

    seq: int
    to_step: int


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event of any other type: `type` names it, `message` is its sentence if it has one."""

    seq: int
    type: str
    data: Mapping[str, Any]

    @property
    def message(self) -> str:
        return str(self.data.get("message") or self.data.get("reason") or self.type)


Event = StateChanged | Metrics | CheckpointSaved | SampleDrawn | ProbeTaken | ShardWritten | Rewound | OtherEvent


def parse_event(seq: int, type_: str, data: Mapping[str, Any]) -> Event:
    match type_:
        case "state":
            reason = data.get("reason")
            return StateChanged(seq, JobState(data["state"]), reason and reason["message"])
        case "metrics":
            return Metrics(seq, data["step"], data["values"])
        case "checkpoint":
            return CheckpointSaved(seq, data["step"], data["sha256"])
        case "sample":
            return SampleDrawn(seq, data["step"], data["artifact"])
        case "probe":
            return ProbeTaken(seq, data["step"], data["artifact"])
        case "shard":
            return ShardWritten(seq, data["step"], data["name"], data["artifact"])
        case "rewound":
            return Rewound(seq, data["to_step"])
        case _:
            return OtherEvent(seq, type_, data)


def follow(connection: Connection, job_id: str, after: int = 0) -> Iterator[Event]:
    """Yield every event after `after`, once and in order, until the job ends. Reconnect after a dropped connection."""
    patience = Patience()
    while True:
        try:
            with connection.events(f"/jobs/{job_id}/events", after) as source:
                patience.renew()
                if source.response.status_code == NO_CONTENT:
                    return
                last = None
                for received in source:
                    last = parse_event(int(received.id), received.event, json.loads(received.data))
                    after = last.seq
                    yield last
                # An extended job has terminal events before its last, so only the last of a stream counts.
                if isinstance(last, StateChanged) and last.last:
                    return
        except (Unreachable, ForgerProblem) as error:
            patience.spend(error)
        time.sleep(PAUSE_S)


def line(event: Event, total: int | None) -> str | None:
    """Return the line of an event of a job of `total` steps; None if it is of no interest to a person."""
    match event:
        case StateChanged(state=state, reason=reason):
            return f"{state}: {reason}" if reason else str(state)
        case Metrics(step=step, values=values):
            values_text = "  ".join(f"{name} {rounded(value)}" for name, value in by_player(values).items())
            return f"step {progress_text(step, total)}  {values_text}"
        case Rewound(to_step=step):
            return f"goes on from step {step}"
        case ShardWritten(step=step, name=name):
            return f"step {progress_text(step, total)}  {name}"
        case CheckpointSaved() | SampleDrawn() | ProbeTaken():
            return None
        case OtherEvent(type="best", data=data):
            return f"the best so far: step {data['step']}, {data['metric']} {rounded(data['value'])}"
        case _:
            return event.message


class Patience:
    """The time for reconnecting: none before the first reply, then PATIENCE_S from each reply."""

    def __init__(self) -> None:
        self._until = 0.0

    def renew(self) -> None:
        self._until = time.monotonic() + PATIENCE_S

    def spend(self, error: Unreachable | ForgerProblem) -> None:
        transient = isinstance(error, Unreachable) or error.status in _TRANSIENT_STATUSES
        if not transient or time.monotonic() > self._until:
            raise error
