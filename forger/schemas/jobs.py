"""Define the replies of /jobs."""

from pydantic import Field

from forger.schemas.base import Health, Json, Out, Recipe, Time
from forger.schemas.specs import SpecOut
from forger.wire import JobState


class Parameters(Out):
    """Number of weights of each player; of both networks if the game has two per player."""

    generator: int
    critic: int
    features: int = Field(description="Weights of the network that compares contents in the paired game.")


class EstimateOut(Out):
    """The estimated cost of a training, computed from its recipe. Bytes are upper bounds."""

    parameters: Parameters
    memory_bytes: int = Field(description="Peak memory on a CPU in fp32; on a GPU most of it is GPU memory.")
    disk_bytes: int = Field(description="Most bytes that the job keeps on the disk while it runs.")
    minutes: float | None = Field(
        description="Estimated minutes from start to end, by this machine's speed and earlier trainings of the family "
        "on it. Null if neither is known."
    )


class Refusal(Out):
    pointer: str = Field(description="JSON pointer into the body.")
    message: str


class PlanOut(Out):
    """The plan of a job. With refusals there is no recipe."""

    kind: str

    recipe: Recipe | None
    family: str | None
    dataset: str | None
    model: str | None
    estimate: EstimateOut | None = Field(description="The estimated cost of a training.")
    spec: SpecOut | None = Field(description="The job's specification, by its kind.")
    notes: list[str] = Field(description="Notes, such as figures that will not be measured.")
    refusals: list[Refusal]


class Reason(Out):
    code: str
    message: str


class Progress(Out):
    step: int = Field(description="Steps of a training; finished pictures of a job that generates or translates.")
    total: int | None = Field(
        description="Null until the first attempt has measured a budget in minutes or read a dataset."
    )
    eta_s: float | None


class Best(Out):
    step: int
    metric: str
    value: float


class Result(Out):
    """The result of a job: a training's published model, an evaluation's figures, other jobs' shards."""

    model: str | None
    export_sha256: str | None
    step: int | None = Field(description="Step of the published checkpoint: the best one, if figures were measured.")
    figures: dict[str, float | None] = Field(description="Values by name; a null value was not finite.")
    provenance: Json | None = Field(description="How an evaluation's figures were measured.")
    shards: int | None = Field(description="Number of files of a generation or translation.")


class JobOut(Out):
    id: str
    kind: str
    state: JobState
    status_reason: Reason | None
    family: str | None
    recipe: Recipe
    dataset: str
    model: str
    spec: SpecOut = Field(description="The job's specification, by its kind.")
    experiment: str | None
    case: Json | None = Field(description="Its case in its experiment.")
    estimate: EstimateOut | None = Field(description="The estimated cost of a training; null for other kinds.")
    numerics: Json | None = Field(
        description="Device, instructions or GPU, threads, precision and torch of a training. Equal recipes give equal "
        "bytes if these are equal; null before the first attempt."
    )
    attempt: int
    progress: Progress
    queue_position: int | None
    starts_in_s: float | None = Field(
        description="Estimated seconds until a queued training starts; null if the cost of a job before it is unknown, "
        "or if no job runs."
    )
    created_at: Time
    queued_at: Time | None
    started_at: Time | None
    heartbeat_at: Time | None
    finished_at: Time | None
    best: Best | None = Field(description="The best checkpoint so far, by the metric of its recipe.")
    health: Health | None = Field(description="Health of a training; null until the first evaluation.")
    result: Result | None
    links: dict[str, str] = Field(description="Addresses below the job's; `sample` is its newest fixed-noise picture.")


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


class LogEvent(Out):
    """An event of any job; `position` numbers the events of all jobs."""

    position: int
    job: str
    seq: int = Field(description="Its number among the events of its job.")
    type: str
    data: Json
    at: Time


class LogEventList(Out):
    data: list[LogEvent]
    newest: int = Field(description="Position of the newest event. To follow from here, pass it as `after`.")


class Curve(Out):
    name: str
    points: list[tuple[int, float | None]] = Field(description="[step, value]; a null value was not finite.")
    thinned: bool = Field(
        description="Whether the curve has more points than the reply. Then the reply has the first and the last point "
        "and, of each of equal ranges of steps between them, the least, the greatest and the first non-finite one."
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
    """The picture of the fixed noise at one report: the noise is the same at every step."""

    step: int
    artifact: str
    href: str
    created_at: Time


class SampleList(Out):
    data: list[SampleOut]
