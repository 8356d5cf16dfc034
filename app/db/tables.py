"""Definitions of the tables. Times are epoch seconds of the database's clock."""

from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from forger.wire import JobState

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
STATES = ", ".join(f"'{state.value}'" for state in JobState)
ID = String(64)
NAME = String(128)
SHA256 = String(64)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSON(none_as_null=True),
        float: Float(53),
    }


def _job() -> Mapped[str]:
    return mapped_column(ID, ForeignKey("jobs.id", ondelete="CASCADE"))


class Job(Base):
    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(f"state IN ({STATES})", name="state"),
        # One index per filter of GET /jobs; the list is sorted by id.
        *(Index(None, column, "id") for column in ("state", "kind", "family", "dataset", "model_name")),
        Index(None, "state", "queued_at", "id", "kind"),  # the queues
        Index(None, "state", "lease_expires"),
        Index(None, "state", "fence"),  # for GET /metrics
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    reason_code: Mapped[str | None] = mapped_column(String(64))
    reason_message: Mapped[str | None] = mapped_column(Text)
    family: Mapped[str | None] = mapped_column(NAME)
    dataset: Mapped[str] = mapped_column(NAME)
    model_name: Mapped[str] = mapped_column(NAME)
    spec: Mapped[dict[str, Any]]  # a JobSpec: all that the job does; neighbouring columns repeat parts of it
    source_job: Mapped[str | None] = mapped_column(ID, index=True)  # the training whose weights it uses
    experiment_id: Mapped[str | None] = mapped_column(ID, ForeignKey("experiments.id", ondelete="SET NULL"), index=True)
    case: Mapped[dict[str, Any] | None]  # name and settings of its case in the experiment
    # Bytes on disk: the upper bound while the job has not ended, the kept bytes afterwards.
    stored_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0", index=True)
    numerics: Mapped[dict[str, Any] | None]  # device, precision, threads and torch of the first attempt
    best: Mapped[dict[str, Any] | None]  # step, metric and value of its best checkpoint
    health: Mapped[dict[str, Any] | None]  # state, kind, step and message of what its newest evaluation shows
    result: Mapped[dict[str, Any] | None]
    work_s: Mapped[float | None]  # estimated seconds of the training, before earlier trainings correct it
    takes_s: Mapped[float | None]  # the corrected estimate, which the client sees
    step: Mapped[int]
    total: Mapped[int]
    eta_s: Mapped[float | None]
    last_event: Mapped[int]  # `seq` of the newest event
    fence: Mapped[int]  # number of the newest attempt: every write of an attempt names it
    # Attempts in a row that lost their runner, or their worker, before a new checkpoint.
    runner_losses: Mapped[int]
    worker_losses: Mapped[int] = mapped_column(default=0, server_default="0")
    owner: Mapped[str | None] = mapped_column(String(255))
    lease_expires: Mapped[float | None]
    heartbeat_at: Mapped[float | None]
    rung_at: Mapped[float | None]  # when workers were last told that it is queued
    created_at: Mapped[float]
    queued_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]


class Experiment(Base):
    """The jobs that one request created: cases times seeds."""

    __tablename__ = "experiments"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str | None] = mapped_column(NAME)
    request: Mapped[dict[str, Any]]
    created_at: Mapped[float]


class Event(Base):
    __tablename__ = "events"

    job_id: Mapped[str] = mapped_column(ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, index=True, unique=True)  # its number over all jobs
    type: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]
    at: Mapped[float]


class EventCounter(Base):
    """One row: the position of the newest event. It is locked until a transaction that adds events commits."""

    __tablename__ = "event_counter"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(BigInteger)


class Point(Base):
    """A point of a curve. A value of null was not finite. The points of a curve are stored contiguously, in order."""

    __tablename__ = "points"
    __table_args__ = ({"sqlite_with_rowid": False},)

    job_id: Mapped[str] = mapped_column(ID, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[float | None]


class Checkpoint(Base):
    __tablename__ = "checkpoints"
    __table_args__ = (UniqueConstraint("job_id", "step"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    job_id: Mapped[str] = _job()
    step: Mapped[int]
    file: Mapped[str] = mapped_column(String(255))  # name inside the job's checkpoint folder
    sha256: Mapped[str] = mapped_column(SHA256, index=True)
    size: Mapped[int]
    attempt: Mapped[int]
    created_at: Mapped[float]


class Artifact(Base):
    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("job_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    job_id: Mapped[str] = _job()
    name: Mapped[str] = mapped_column(NAME)
    kind: Mapped[str] = mapped_column(String(32))
    media_type: Mapped[str] = mapped_column(NAME)
    sha256: Mapped[str] = mapped_column(SHA256, index=True)
    size: Mapped[int]
    step: Mapped[int | None]
    created_at: Mapped[float]


class Model(Base):
    """A model's name and the number of its newest version, so that a version is numbered by one atomic upsert."""

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(NAME, primary_key=True)
    latest: Mapped[int]


class ModelVersion(Base):
    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, ForeignKey("models.name"))
    version: Mapped[int]
    # A version outlives its job.
    job_id: Mapped[str | None] = mapped_column(ID, ForeignKey("jobs.id", ondelete="SET NULL"), index=True)
    export_sha256: Mapped[str] = mapped_column(SHA256, index=True)
    export_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    recipe: Mapped[dict[str, Any]]
    step: Mapped[int]
    card: Mapped[dict[str, Any]]
    created_at: Mapped[float]


class Judgement(Base):
    """A round in which a person told real pictures from those of a version. A judge judges a seed's pictures once."""

    __tablename__ = "judgements"
    __table_args__ = (UniqueConstraint("version_id", "judge", "seed"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    version_id: Mapped[str] = mapped_column(ID, ForeignKey("model_versions.id", ondelete="CASCADE"))
    judge: Mapped[str] = mapped_column(NAME)
    seed: Mapped[int] = mapped_column(BigInteger)
    hits: Mapped[int]
    answers: Mapped[list[dict[str, Any]]] = mapped_column(JSON)  # truth, index, guess and ms of each picture, as shown
    created_at: Mapped[float]


class LatentDirection(Base):
    """A named direction of a version's latent space."""

    __tablename__ = "directions"
    __table_args__ = (UniqueConstraint("version_id", "name"),)

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    version_id: Mapped[str] = mapped_column(ID, ForeignKey("model_versions.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(NAME)
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[dict[str, Any]]  # how it was found; its keys depend on the kind
    strength: Mapped[float]
    vector: Mapped[list[float]] = mapped_column(JSON)  # of length 1
    created_at: Mapped[float]


class Dataset(Base):
    """An uploaded dataset. Its archive never changes; `index` names the members that are used."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, unique=True)
    info: Mapped[dict[str, Any]]  # a DatasetInfo
    report: Mapped[dict[str, Any]]
    archive_sha256: Mapped[str] = mapped_column(SHA256)
    index_sha256: Mapped[str] = mapped_column(SHA256)
    sheet_sha256: Mapped[str] = mapped_column(SHA256)
    created_at: Mapped[float]


class IdempotencyKey(Base):
    """A request that must be executed once. While it names no job and no experiment, it is being answered."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(SHA256)
    job_id: Mapped[str | None] = mapped_column(ID, ForeignKey("jobs.id", ondelete="CASCADE"), index=True)
    experiment_id: Mapped[str | None] = mapped_column(ID, ForeignKey("experiments.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[float]


class Link(Base):
    """An address that shows one job, one experiment or one model to people without the key, until it expires."""

    __tablename__ = "links"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # job, experiment or model
    target: Mapped[str] = mapped_column(String(255))  # an id; of a model name@version
    created_at: Mapped[float]
    expires_at: Mapped[float]


class Identity(Base):
    """The identity of the database, one row: a copy has the same, a new database another."""

    __tablename__ = "identity"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
