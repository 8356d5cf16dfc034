"""Bodies of /jobs."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, RootModel, Tag, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from app.core.limits import EVALUATED_LEAST, EVALUATED_MOST, ID_LENGTH, SEED_LIMIT
from app.schemas.base import In, Name
from app.schemas.bulk import GenerateIn, TranslateIn
from forger.schemas.base import Json
from forger.schemas.specs import Features
from models.spec.training import MAX_STEPS
from models.spec.wording import DESCRIPTION_KEY, listed, nearest, shown


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
