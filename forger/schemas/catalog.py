"""Define the replies of /models, /datasets, /recipes, /limits and the health addresses."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from forger.schemas.base import Health, Json, Out, Recipe, Time
from forger.schemas.dataset_report import Report


class VersionOut(Out):
    model: str = Field(description="name@version")
    name: str
    version: int
    game: str
    dataset: str
    classes: int = Field(description="Number of classes that can be requested; 0: none.")
    step: int
    job: str | None
    export_sha256: str
    card: Json
    health: Health | None = Field(description="Health of its weights; null if it was not recorded.")
    created_at: Time
    recipe: Recipe


class ModelOut(Out):
    """A model's name, its newest version, and the numbers of all versions."""

    name: str
    latest: VersionOut
    versions: list[int]


class ModelList(Out):
    data: list[ModelOut]


class ModelDetail(Out):
    name: str
    versions: Sequence[VersionOut]


class DatasetOut(Out):
    name: str
    title: str
    kind: Literal["images", "points", "sequences", "unpaired", "paired"]
    side: int = Field(description="Pixels; 0 if the examples are no pictures.")
    channels: int
    bits: Literal[8, 16] = Field(
        8, description="Bits of a sample of its pictures; left out at 8.", exclude_if=lambda bits: bits == 8
    )
    classes: int
    class_names: tuple[str, ...]
    size: int = Field(description="Examples; for unpaired data the pictures of both domains.")
    source: str
    uploaded: bool


class DatasetDetail(DatasetOut):
    report: Report | None = Field(description="The report of the intake, for an uploaded dataset.")
    links: dict[str, str]


class DatasetList(Out):
    data: list[DatasetOut]


class DialOut(Out):
    path: str = Field(description="JSON pointer in the recipe.")
    title: str
    type: Literal["integer", "number"]
    minimum: float
    maximum: float
    default: float
    exclusive_minimum: bool = Field(description="Whether the value must be above the minimum.")


class RecipeOut(Out):
    name: str
    title: str
    use: str = Field(description="What it is and when to choose it.")
    paper: str
    game: str
    conditional: bool
    schema_: Json | None = Field(
        alias="schema", description="JSON Schema of a whole recipe; null in a list that was requested without."
    )
    defaults: Recipe = Field(description="The whole recipe on the family's default dataset.")
    dials: tuple[DialOut, ...]


class RecipeList(Out):
    data: list[RecipeOut]


class Index(Out):
    name: str
    version: str
    links: dict[str, str]


class Version(Out):
    name: str
    version: str
    python: str


class QueueLoad(Out):
    name: str
    queued: int
    running: int


class HeldJob(Out):
    """A job that a worker holds."""

    job: str
    kind: str
    worker: str
    heartbeat_at: Time | None


class Disk(Out):
    total_bytes: int
    free_bytes: int
    stored_bytes: int = Field(
        description="Bytes of jobs, models and uploaded datasets; a job that has not ended counts with the most that "
        "it may keep."
    )


class SystemOut(Out):
    """The service as a whole."""

    queues: list[QueueLoad]
    attempts: list[HeldJob]
    disk: Disk
    versions: dict[str, str | None] = Field(description="By name; null for a package that is not installed here.")
    memory_bytes: int
    gpus: int


class SharedOut(Out):
    """A link through which a browser reads one thing."""

    kind: Literal["job", "experiment", "model"]
    target: str
    expires_at: Time


class SessionOut(Out):
    key_required: bool
    signed_in: bool = Field(description="Whether the request carries the cookie of a session.")
    link: SharedOut | None = Field(description="The link whose session the request carries, in place of the key's.")


class Alive(Out):
    status: Literal["ok"]


class Check(Out):
    ok: bool
    detail: str


class Ready(Out):
    status: Literal["ready"]
    checks: dict[str, Check]


class LimitOut(Out):
    """One limit. A refusal uses the same name."""

    name: str
    value: int
    unit: str
    meaning: str


class LimitList(Out):
    data: list[LimitOut]
