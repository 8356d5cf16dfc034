"""Replies of /jobs."""

from pydantic import Field

from forger.schemas.base import Health, Json, Out, Recipe, Time
from forger.schemas.specs import SpecOut
from forger.wire import JobState


class Parameters(Out):
    """Number of weights of each player, of both where the game has two."""

    generator: int
    critic: int
    features: int = Field(description="Of the network that compares contents in the paired game.")


class EstimateOut(Out):
    """What a training takes, told from its recipe. Bytes are upper bounds."""

    parameters: Parameters
    memory_bytes: int = Field(description="At its peak, on a CPU and in fp32; on a GPU most of it lies there.")
    disk_bytes: int = Field(description="That the job may come to keep on the disk while it runs.")
    minutes: float | None = Field(
        description="From its start to its end, about: by the speed of this machine and what trainings of the family "
        "took on it. Null where neither is known."
    )


class Refusal(Out):
    pointer: str = Field(description="JSON pointer into the body.")
    message: str


class PlanOut(Out):
    """What a job would be. With refusals there is no recipe."""

    kind: str

    recipe: Recipe | None
    family: str | None
    dataset: str | None
    model: str | None
    estimate: EstimateOut | None = Field(description="What a training will take.")
    spec: SpecOut | None = Field(description="What the job would do, by its kind.")
    notes: list[str] = Field(description="What is to be known of it beforehand: what will not be measured.")
    refusals: list[Refusal]


class Reason(Out):
    code: str
    message: str


class Progress(Out):
    step: int = Field(description="Of a training; of what generates or translates, pictures made.")
    total: int | None = Field(
        description="Null until the first attempt has measured a budget in minutes or read a dataset."
    )
    eta_s: float | None


class Best(Out):
    step: int
    metric: str
    value: float


class Result(Out):
    """What a job came to: a training published a model, an evaluation measured one, others left shards."""

    model: str | None
    export_sha256: str | None
    step: int | None = Field(description="Of the checkpoint that was published: the best, where figures were measured.")
    figures: dict[str, float | None] = Field(description="By name; null was not finite.")
    provenance: Json | None = Field(description="What an evaluation's figures were measured with.")
    shards: int | None = Field(description="Files that a generation or a translation left.")


class JobOut(Out):
    id: str
    kind: str
    state: JobState
    status_reason: Reason | None
    family: str | None
    recipe: Recipe
    dataset: str
    model: str
    spec: SpecOut = Field(description="What the job does, by its kind.")
    experiment: str | None
    case: Json | None = Field(description="What it is among the jobs of its experiment.")
    estimate: EstimateOut | None = Field(description="What a training takes; null for other kinds.")
    numerics: Json | None = Field(
        description="What a training computes with: device, instructions or GPU, threads, precision, torch. Equal "
        "recipes end with equal bytes where these are equal; null before its first attempt."
    )
    attempt: int
    progress: Progress
    queue_position: int | None
    starts_in_s: float | None = Field(
        description="Until a training begins that waits, about; null where those before it do not say how long they "
        "take, and where none runs."
    )
    created_at: Time
    queued_at: Time | None
    started_at: Time | None
    heartbeat_at: Time | None
    finished_at: Time | None
    best: Best | None = Field(description="The best checkpoint so far by the metric its recipe watches.")
    health: Health | None = Field(description="Of a training; null until it was evaluated.")
    result: Result | None
    links: dict[str, str]


class JobPage(Out):
    data: list[JobOut]
    has_more: bool
    next_cursor: str | None


class EventOut(Out):
    seq: int
    type: str
    data: Json
    at: Time


class EventList(Out):
    data: list[EventOut]


class Curve(Out):
    name: str
    points: list[tuple[int, float | None]] = Field(description="[step, value]; null was not finite.")
    thinned: bool = Field(
        description="Whether it has more points than are here. Then these are its first and its last and, of each of "
        "equal stretches of steps between them, the least, the greatest and the first that was not finite."
    )


class CurveList(Out):
    data: list[Curve]


class CheckpointOut(Out):
    id: str
    step: int
    sha256: str
    size: int
    attempt: int
    created_at: Time


class CheckpointList(Out):
    data: list[CheckpointOut]


class ArtifactOut(Out):
    id: str
    name: str
    kind: str
    media_type: str
    sha256: str
    size: int
    step: int | None
    created_at: Time
    href: str


class ArtifactList(Out):
    data: list[ArtifactOut]


class SampleOut(Out):
    """The pictures of the fixed noise at one report: the same noise at every step."""

    step: int
    artifact: str
    href: str
    created_at: Time


class SampleList(Out):
    data: list[SampleOut]
