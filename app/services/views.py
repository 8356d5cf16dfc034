"""Frozen views of database rows, which the services return."""

from dataclasses import dataclass, field
from typing import Any

from app.db import tables
from app.services.capacity import estimates
from app.services.job_spec import JobSpec, Train, read_spec
from forger.wire import JobState
from models.spec.estimates.resources import Estimate
from models.spec.recipe import Recipe
from models.spec.upgrade import read_recipe


@dataclass(frozen=True, slots=True)
class Reason:
    code: str
    message: str


AUGMENTATION_KEY = "augmentation"
"""key of a version's card that names the augmentation whose generator it is"""
UNWATCHED_HEALTH = {
    "state": "unwatched",
    "kind": None,
    "step": None,
    "message": "Nothing was measured while it trained: its recipe has no watch.",
}


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job: a training's model, an evaluation's figures, or the number of shards."""

    model: str | None = None
    export_sha256: str | None = None
    step: int | None = None
    figures: dict[str, float | None] = field(default_factory=dict)
    provenance: dict[str, Any] | None = None
    shards: int | None = None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job at one moment. Times are epoch seconds, UTC."""

    id: str
    spec: JobSpec
    state: JobState
    status_reason: Reason | None
    attempt: int
    step: int
    total: int
    eta_s: float | None
    takes_s: float | None
    """seconds that the client was told that the job takes"""
    queue_position: int | None
    starts_in_s: float | None
    estimate: Estimate | None
    """only for a training"""
    numerics: dict[str, Any] | None
    experiment_id: str | None
    case: dict[str, Any] | None
    best: dict[str, Any] | None
    health: dict[str, Any] | None
    """only for a training: state, kind, step and message; None until its first evaluation"""
    result: JobResult | None
    newest_sample: str | None
    """artifact id of its newest fixed-noise picture; None also where it was not read"""
    created_at: float
    queued_at: float
    started_at: float | None
    heartbeat_at: float | None
    finished_at: float | None

    @property
    def kind(self) -> str:
        return self.spec.kind

    @property
    def recipe(self) -> Recipe:
        return self.spec.recipe

    @property
    def family(self) -> str | None:
        return self.spec.family

    @property
    def dataset(self) -> str:
        return self.spec.dataset_name

    @property
    def model_name(self) -> str:
        return self.spec.model_name


@dataclass(frozen=True, slots=True)
class EventView:
    job_id: str
    position: int
    seq: int
    type: str
    data: dict[str, Any]
    at: float


@dataclass(frozen=True, slots=True)
class CheckpointView:
    id: str
    step: int
    file: str
    sha256: str
    size: int
    attempt: int
    created_at: float


@dataclass(frozen=True, slots=True)
class ArtifactView:
    id: str
    name: str
    kind: str
    media_type: str
    sha256: str
    size: int
    step: int | None
    created_at: float


@dataclass(frozen=True, slots=True)
class VersionView:
    name: str
    version: int
    job_id: str | None
    export_sha256: str
    recipe: Recipe
    step: int
    card: dict[str, Any]
    health: dict[str, Any] | None
    """None for a version published before health was recorded"""
    created_at: float

    @property
    def reference(self) -> str:
        """name@version"""
        return f"{self.name}@{self.version}"

    @property
    def of_augmentation(self) -> bool:
        """Whether an augmentation trained it for its own use."""
        return AUGMENTATION_KEY in self.card


def job(
    row: tables.Job,
    queue_position: int | None = None,
    starts_in_s: float | None = None,
    newest_sample: str | None = None,
) -> JobView:
    has_reason = row.reason_code is not None and row.reason_message is not None
    spec = read_spec(row.spec)
    return JobView(
        id=row.id,
        spec=spec,
        state=JobState(row.state),
        status_reason=Reason(row.reason_code or "", row.reason_message or "") if has_reason else None,
        attempt=row.fence,
        step=row.step,
        total=row.total,
        eta_s=row.eta_s,
        takes_s=row.takes_s,
        queue_position=queue_position,
        starts_in_s=starts_in_s,
        estimate=estimates.estimate(spec.recipe, spec.devices) if isinstance(spec, Train) else None,
        numerics=row.numerics,
        experiment_id=row.experiment_id,
        case=row.case,
        best=row.best,
        health=_health(spec.recipe, row.health) if isinstance(spec, Train) else None,
        result=None if row.result is None else JobResult(**row.result),
        newest_sample=newest_sample,
        created_at=row.created_at,
        queued_at=row.queued_at,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        finished_at=row.finished_at,
    )


def _health(recipe: Recipe, measured: dict[str, Any] | None) -> dict[str, Any] | None:
    return UNWATCHED_HEALTH if recipe.watch is None else measured


def event(row: tables.Event) -> EventView:
    return EventView(row.job_id, row.position, row.seq, row.type, row.data, row.at)


def checkpoint(row: tables.Checkpoint) -> CheckpointView:
    return CheckpointView(row.id, row.step, row.file, row.sha256, row.size, row.attempt, row.created_at)


def artifact(row: tables.Artifact) -> ArtifactView:
    return ArtifactView(row.id, row.name, row.kind, row.media_type, row.sha256, row.size, row.step, row.created_at)


def version(row: tables.ModelVersion) -> VersionView:
    """Return the view of a version. If its job was deleted, the card names no sample: the picture is deleted too."""
    deleted = {"sample": None} if row.job_id is None and "sample" in row.card else {}
    recipe = read_recipe(row.recipe)
    # Elsewhere something else may have watched the training of an imported version.
    health = None if "imported" in row.card else _health(recipe, row.card.get("health"))
    return VersionView(
        name=row.name,
        version=row.version,
        job_id=row.job_id,
        export_sha256=row.export_sha256,
        recipe=recipe,
        step=row.step,
        card={**row.card, **deleted, **({} if health is None else {"health": health})},
        health=health,
        created_at=row.created_at,
    )
