"""Request bodies of /jobs."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, RootModel, Tag, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.core.limits import MAX_EVALUATED_EXAMPLES, MAX_ID_CHARACTERS, MIN_EVALUATED_EXAMPLES, SEED_LIMIT
from app.schemas.base import Name, RequestBody
from app.schemas.bulk import GenerateIn, TranslateIn
from forger.schemas.base import Json
from forger.schemas.specs import Features
from models.spec.training import MAX_STEPS
from models.spec.wording import DESCRIPTION_KEY, listed, nearest, shown


class Resources(RequestBody):
    """The hardware that a training uses."""

    devices: int = Field(
        1, ge=1, description="Devices among which every batch is divided: GPUs, or processes if jobs train on the CPU."
    )


FamilyOrRecipe = Annotated[str, Field(max_length=100, json_schema_extra={DESCRIPTION_KEY: "a family's name"})] | Json


class TrainIn(RequestBody):
    """A training. `recipe` is a family's name or a complete recipe."""

    kind: Literal["train"] = "train"
    recipe: FamilyOrRecipe
    dataset: str | None = Field(None, max_length=100)
    seed: int | None = Field(None, ge=0, lt=SEED_LIMIT)
    budget: Json | None = Field(None, description='For example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to a family's recipe (RFC 7396).")
    model: Name | None = Field(
        None, description="Name of the model that the job publishes; default {family}-{dataset}."
    )
    start_from: str | None = Field(
        None,
        max_length=MAX_ID_CHARACTERS,
        description="Id of a checkpoint of any job: the training starts with its weights, at step 0.",
    )
    resources: Resources = Field(default_factory=Resources, description="The hardware to use; default one device.")
    dry_run: bool = Field(False, description="Reply with the job as it would be, and create nothing.")


class EvaluateIn(RequestBody):
    """An evaluation of the weights of a model or of a checkpoint."""

    kind: Literal["evaluate"]
    model: str | None = Field(None, max_length=100, description="name@version, or name for the newest.")
    checkpoint: str | None = Field(None, max_length=MAX_ID_CHARACTERS, description="Id of a checkpoint of any job.")
    n: int = Field(
        5000,
        ge=MIN_EVALUATED_EXAMPLES,
        le=MAX_EVALUATED_EXAMPLES,
        description="Number of examples to generate and compare.",
    )
    features: Features = Field(
        "own",
        description="Features for distances: of a network trained on the dataset, or of Inception from FORGER_DATA.",
    )
    seed: int = Field(0, ge=0, lt=SEED_LIMIT, description="Seed of the random draws.")
    figures: list[Annotated[str, Field(max_length=40)]] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Names of the figures to measure; null: all that suit the model.",
    )
    curve: bool = Field(False, description="Also measure fidelity and diversity over temperature and truncation.")
    dry_run: bool = Field(False, description="Reply with what would be measured, and create nothing.")


CreatedKind = Literal["train", "evaluate", "generate", "translate"]
KINDS = get_args(CreatedKind)
"""kinds that POST /jobs creates"""
Kind = Literal[CreatedKind, "augment"]


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
    """A job: `kind` is train, the default, evaluate, generate or translate."""

    @model_validator(mode="before")
    @classmethod
    def _require_known_kind(cls, body: Any) -> Any:
        if isinstance(body, dict) and (kind := body.get("kind", KINDS[0])) not in KINDS:
            similar = nearest(str(kind), KINDS)
            hint = f"; did you mean '{similar}'? Write" if similar else ": write"
            sentence = f"'kind' is {shown(kind)}{hint} {listed(KINDS, 'or')}."
            unknown = PydanticCustomError("unknown_kind", sentence)
            raise ValidationError.from_exception_data("JobIn", [{"type": unknown, "loc": ("kind",), "input": kind}])
        return body


class Further(RequestBody):
    steps: int = Field(ge=1, le=MAX_STEPS, description="Number of steps beyond those done.")


class ExtendIn(RequestBody):
    """The steps that a training goes on."""

    budget: Further
