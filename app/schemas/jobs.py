"""Bodies of /jobs."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from app.core.limits import ID_LENGTH, SEED_LIMIT
from app.core.states import JobState
from app.schemas.base import In, Json, Name, Out, Time
from models.spec.recipe import Recipe

if TYPE_CHECKING:  # the client reads these bodies too, without the database's libraries
    from app.services.views import ArtifactView, JobView

ROOMS = ("events", "metrics", "checkpoints", "artifacts", "samples")


class JobIn(In):
    """What to train. `recipe` is a family's name or a whole recipe."""

    recipe: Annotated[str, Field(max_length=100)] | Json
    dataset: str | None = Field(None, max_length=100)
    seed: int | None = Field(None, ge=0, lt=SEED_LIMIT)
    budget: Json | None = Field(None, description='For example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to a family's recipe (RFC 7396).")
    model: Name | None = Field(None, description="What the job publishes; default {family}-{dataset}.")
    start_from: str | None = Field(
        None,
        max_length=ID_LENGTH,
        description="Id of a checkpoint of any job: training begins with its weights, at step 0.",
    )
    dry_run: bool = Field(False, description="Answer what the job would be, and create nothing.")


class Parameters(Out):
    """Number of trained weights."""

    generator: int
    critic: int


class Refusal(Out):
    pointer: str = Field(description="JSON pointer into the body.")
    message: str


class PlanOut(Out):
    """What a job would be. With refusals there is no recipe."""

    recipe: Recipe | None
    family: str | None
    dataset: str | None
    model: str | None
    parameters: Parameters | None
    note: str | None = Field(description="Why the parameters are not counted, when they are not.")
    refusals: list[Refusal]


class Reason(Out):
    code: str
    message: str


class StartOut(Out):
    """The checkpoint whose weights the job began with. Its job may be gone."""

    job: str
    checkpoint: str
    step: int
    sha256: str


class Progress(Out):
    step: int
    total: int | None = Field(description="Null until the first attempt has measured a budget in minutes.")
    eta_s: float | None


class Best(Out):
    step: int
    metric: str
    value: float


class Result(Out):
    """What a job came to: a training published a model, an evaluation measured one."""

    model: str | None
    export_sha256: str | None
    step: int | None = Field(description="Of the checkpoint that was published: the best, where figures were measured.")
    figures: dict[str, float | None] = Field(description="By name; null was not finite.")
    provenance: Json | None = Field(description="What an evaluation's figures were measured with.")


class JobOut(Out):
    id: str
    kind: str
    state: JobState
    status_reason: Reason | None
    family: str | None
    recipe: Recipe
    dataset: str
    model: str
    start_from: StartOut | None
    asked: Json | None = Field(description="What a job that does not train was asked.")
    subject: str | None = Field(description="The training job whose weights it evaluates.")
    experiment: str | None
    case: Json | None = Field(description="What it is among the jobs of its experiment.")
    attempt: int
    progress: Progress
    queue_position: int | None
    created_at: Time
    queued_at: Time | None
    started_at: Time | None
    heartbeat_at: Time | None
    finished_at: Time | None
    best: Best | None = Field(description="The best checkpoint so far by the metric its recipe watches.")
    result: Result | None
    links: dict[str, str]

    @classmethod
    def of(cls, job: "JobView") -> "JobOut":
        own = f"/jobs/{job.id}"
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            status_reason=job.status_reason and Reason.model_validate(job.status_reason),
            family=job.family,
            recipe=job.recipe,
            dataset=job.dataset,
            model=job.model_name,
            start_from=job.start and StartOut.model_validate(job.start),
            asked=job.asked,
            subject=job.subject,
            experiment=job.experiment_id,
            case=job.case,
            attempt=job.attempt,
            progress=Progress(step=job.step, total=job.total or None, eta_s=job.eta_s),
            queue_position=job.queue_position,
            created_at=job.created_at,
            queued_at=job.queued_at,
            started_at=job.started_at,
            heartbeat_at=job.heartbeat_at,
            finished_at=job.finished_at,
            best=job.best and Best.model_validate(job.best),
            result=job.result and Result.model_validate(job.result),
            links={"self": own} | {room: f"{own}/{room}" for room in ROOMS},
        )


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

    @classmethod
    def of(cls, job_id: str, artifact: "ArtifactView") -> "ArtifactOut":
        return cls(
            id=artifact.id,
            name=artifact.name,
            kind=artifact.kind,
            media_type=artifact.media_type,
            sha256=artifact.sha256,
            size=artifact.size,
            step=artifact.step,
            created_at=artifact.created_at,
            href=f"/jobs/{job_id}/artifacts/{artifact.id}",
        )


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
