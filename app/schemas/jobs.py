"""Bodies of /jobs."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, RootModel, Tag, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.core.limits import EVALUATED_LEAST, EVALUATED_MOST, ID_LENGTH, SEED_LIMIT
from app.core.settings import link
from app.core.states import JobState
from app.schemas.base import Health, In, Json, Name, Out, Time
from app.schemas.bulk import GenerateIn, TranslateIn
from forger.schemas.specs import EvaluateSpec, Features, GenerateSpec, SpecOut, TrainSpec, TranslateSpec
from models.spec.recipe import Recipe
from models.spec.training import MAX_STEPS
from models.spec.wording import DESCRIPTION_KEY, listed, nearest, shown

if TYPE_CHECKING:  # the client reads these bodies too, without the database's libraries
    from app.services.job_spec import JobSpec
    from app.services.views import ArtifactView, JobView
    from models.spec.estimates.resources import Estimate

ROOMS = ("events", "metrics", "checkpoints", "artifacts", "samples")


class Resources(In):
    """What a training computes on."""

    devices: int = Field(
        1, ge=1, description="Devices that share out every batch: GPUs, or processes where jobs train on the CPU."
    )


FamilyOrRecipe = Annotated[str, Field(max_length=100, json_schema_extra={DESCRIPTION_KEY: "a family's name"})] | Json


class TrainIn(In):
    """What to train. `recipe` is a family's name or a whole recipe."""

    kind: Literal["train"] = "train"
    recipe: FamilyOrRecipe
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
    resources: Resources = Field(default_factory=Resources, description="What it computes on; default one device.")
    dry_run: bool = Field(False, description="Answer what the job would be, and create nothing.")


class EvaluateIn(In):
    """Which trained weights to measure, and how: those of a model, or of a checkpoint."""

    kind: Literal["evaluate"]
    model: str | None = Field(None, max_length=100, description="name@version, or name for the newest.")
    checkpoint: str | None = Field(None, max_length=ID_LENGTH, description="Id of a checkpoint of any job.")
    n: int = Field(5000, ge=EVALUATED_LEAST, le=EVALUATED_MOST, description="Examples made and compared.")
    features: Features = Field(
        "own",
        description="Where distances are measured: a network trained on the dataset, or Inception from FORGER_DATA.",
    )
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="Decides what is drawn.")
    figures: list[Annotated[str, Field(max_length=40)]] | None = Field(
        None, min_length=1, max_length=100, description="Only these; null: all that suit the model."
    )
    dry_run: bool = Field(False, description="Answer what would be measured, and create nothing.")


Kind = Literal["train", "evaluate", "generate", "translate"]
KINDS = get_args(Kind)


def _kind(body: Any) -> str:
    return str(body.get("kind", KINDS[0])) if isinstance(body, dict) else getattr(body, "kind", KINDS[0])


class JobIn(
    RootModel[
        Annotated[
            Annotated[TrainIn, Tag("train")]
            | Annotated[EvaluateIn, Tag("evaluate")]
            | Annotated[GenerateIn, Tag("generate")]
            | Annotated[TranslateIn, Tag("translate")],
            Discriminator(_kind),
        ]
    ]
):
    """What a job is to do: `kind` train, which is meant when none is named, evaluate, generate or translate."""

    @model_validator(mode="before")
    @classmethod
    def _of_a_known_kind(cls, body: Any) -> Any:
        if isinstance(body, dict) and (kind := body.get("kind", KINDS[0])) not in KINDS:
            meant = nearest(str(kind), KINDS)
            near = f"; did you mean '{meant}'? Write" if meant else ": write"
            sentence = f"'kind' is {shown(kind)}{near} {listed(KINDS, 'or')}."
            unknown = PydanticCustomError("unknown_kind", sentence)
            raise ValidationError.from_exception_data("JobIn", [{"type": unknown, "loc": ("kind",), "input": kind}])
        return body


class Further(In):
    steps: int = Field(ge=1, le=MAX_STEPS, description="Steps beyond those that were made.")


class ExtendIn(In):
    """How far a training goes on."""

    budget: Further


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

    @classmethod
    def of(cls, estimate: "Estimate", takes_s: float | None) -> "EstimateOut":
        return cls(
            parameters=Parameters.model_validate(estimate.parameters),
            memory_bytes=estimate.memory_bytes,
            disk_bytes=estimate.disk_bytes,
            minutes=None if takes_s is None else round(takes_s / 60, 2),
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


_SPECS: dict[str, type[TrainSpec | EvaluateSpec | GenerateSpec | TranslateSpec]] = {
    "train": TrainSpec,
    "evaluate": EvaluateSpec,
    "generate": GenerateSpec,
    "translate": TranslateSpec,
}


def spec_out(spec: "JobSpec") -> SpecOut:
    """Return what a reply says beside recipe, family, dataset and model."""
    return _SPECS[spec.kind].model_validate(spec)


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

    @classmethod
    def of(cls, job: "JobView") -> "JobOut":
        own = link(f"/jobs/{job.id}")
        return cls(
            id=job.id,
            kind=job.kind,
            state=job.state,
            status_reason=job.status_reason and Reason.model_validate(job.status_reason),
            family=job.family,
            recipe=job.recipe,
            dataset=job.dataset,
            model=job.model_name,
            spec=spec_out(job.spec),
            experiment=job.experiment_id,
            case=job.case,
            estimate=job.estimate and EstimateOut.of(job.estimate, job.takes_s),
            numerics=job.numerics,
            attempt=job.attempt,
            progress=Progress(step=job.step, total=job.total or None, eta_s=job.eta_s),
            queue_position=job.queue_position,
            starts_in_s=job.starts_in_s,
            created_at=job.created_at,
            queued_at=job.queued_at,
            started_at=job.started_at,
            heartbeat_at=job.heartbeat_at,
            finished_at=job.finished_at,
            best=job.best and Best.model_validate(job.best),
            health=job.health and Health.model_validate(job.health),
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
            href=link(f"/jobs/{job_id}/artifacts/{artifact.id}"),
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
