"""Bodies of /models, /datasets, /recipes and the health addresses."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from app.core.limits import ID_LENGTH
from app.core.settings import link
from app.schemas.base import Health, In, Json, Name, Out, Time
from data.uploads.report import Report
from models.spec.recipe import Recipe

if TYPE_CHECKING:  # the client reads these bodies too, without the database's libraries
    from collections.abc import Sequence

    from app.services.datasets.catalog import Detail
    from app.services.views import VersionView
    from models.spec.families import Dial, Family


class ModelIn(In):
    """Which checkpoint to publish, and under which name."""

    name: Name
    checkpoint: str = Field(max_length=ID_LENGTH, description="Id of a checkpoint of any job.")


class VersionOut(Out):
    model: str = Field(description="name@version")
    name: str
    version: int
    game: str
    dataset: str
    classes: int = Field(description="Number of classes that can be asked for; 0: none.")
    step: int
    job: str | None
    export_sha256: str
    card: Json
    health: Health | None = Field(description="Of its weights; null where nobody noted it.")
    created_at: Time
    recipe: Recipe

    @classmethod
    def of(cls, version: "VersionView") -> "VersionOut":
        return cls(
            model=version.reference,
            name=version.name,
            version=version.version,
            game=version.recipe.game.kind,
            dataset=version.recipe.data.dataset,
            classes=version.recipe.classes,
            step=version.step,
            job=version.job_id,
            export_sha256=version.export_sha256,
            card=version.card,
            health=version.health and Health.model_validate(version.health),
            created_at=version.created_at,
            recipe=version.recipe,
        )


class ModelOut(Out):
    """A name, its newest version, and the numbers of all."""

    name: str
    latest: VersionOut
    versions: list[int]


class ModelList(Out):
    data: list[ModelOut]


class ModelDetail(Out):
    name: str
    versions: list[VersionOut]


class DatasetIn(In):
    """The small fields beside an uploaded zip."""

    name: Name
    layout: Literal["auto", "classes", "flat", "unpaired", "paired", "side_by_side"] = Field(
        "auto", description="What the members are to each other; auto: by the names of their folders."
    )
    fit: Literal["crop", "pad", "tiles"] = Field(
        "crop", description="Of what is not square: its middle, all of it in a white square, or squares cut from it."
    )
    depth: Literal["auto", "10", "12", "14", "16"] = Field(
        "auto", description="Bits that count in samples of 16 whose file does not say; auto: all, and a note."
    )
    labels: Literal["auto", "none", "a", "b"] = Field(
        "auto", description="The pile that is label maps, resized by nearest; auto: those of few colours."
    )


class DatasetOut(Out):
    name: str
    title: str
    kind: Literal["images", "points", "sequences", "unpaired", "paired"]
    side: int = Field(description="Pixels; 0 of what is no picture.")
    channels: int
    classes: int
    class_names: tuple[str, ...]
    size: int = Field(description="Examples; of unpaired piles the pictures of both.")
    source: str
    uploaded: bool


class DatasetDetail(DatasetOut):
    report: Report | None = Field(description="What the intake found, of an uploaded dataset.")
    links: dict[str, str]

    @classmethod
    def of(cls, detail: "Detail") -> "DatasetDetail":
        links = {"self": link(f"/datasets/{detail.info.name}")}
        if detail.sheet_sha256 is not None:
            links["sheet"] = f"{links['self']}/sheet"
        own = DatasetOut.model_validate(detail.info)
        return cls(**dict(own), report=detail.report, links=links)


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
    schema_: Json = Field(alias="schema", description="JSON Schema of a whole recipe.")
    defaults: Recipe = Field(description="The whole recipe on the family's default dataset.")
    dials: tuple[DialOut, ...]

    @classmethod
    def of(cls, family: "Family", schema: Json, defaults: Recipe, dials: "Sequence[Dial]") -> "RecipeOut":
        named = {name: getattr(family, name) for name in ("name", "title", "use", "paper", "game", "conditional")}
        return cls.model_validate({**named, "schema": schema, "defaults": defaults, "dials": dials})


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


class Alive(Out):
    status: Literal["ok"]


class Check(Out):
    ok: bool
    detail: str


class Ready(Out):
    status: Literal["ready"]
    checks: dict[str, Check]


class LimitOut(Out):
    """One limit. A refusal names it by the same word."""

    name: str
    value: int
    unit: str
    meaning: str


class LimitList(Out):
    data: list[LimitOut]
