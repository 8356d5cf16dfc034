"""The documentation names every setting, family, dataset, recipe field, network part and endpoint."""

import json
import re
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.core.settings import CHECKOUT, Settings, get_settings
from app.main import create_app
from app.schemas.arithmetic import ArithmeticIn, TermIn
from app.schemas.augmentations import AugmentationIn
from app.schemas.bulk import GenerateIn, TranslateIn
from app.schemas.directions import DirectionsIn, EditIn
from app.schemas.interpolations import InterpolateQuery
from app.schemas.jobs import EvaluateIn, TrainIn
from app.schemas.judgements import AnswerIn, JudgementIn
from app.schemas.latents import LatentsIn
from app.schemas.samples import DecodeIn
from bench import gallery
from forger.schemas.arithmetic import ArithmeticOut, CodeOut, TermOut
from forger.schemas.augmentations import (
    AugmentationOut,
    AugmentationReport,
    AugmentedClass,
    AugmentedGenerator,
    Gain,
    Spread,
)
from forger.schemas.catalog import DatasetOut, DialOut, RecipeOut, VersionOut
from forger.schemas.directions import DirectionList, DirectionOut, EditOut
from forger.schemas.features import FeaturesOut
from forger.schemas.interpolations import InterpolationOut
from forger.schemas.inversion import InpaintingOut, InversionOut, InversionProgress
from forger.schemas.jobs import ArtifactOut, CheckpointOut, JobOut, Progress, Result
from forger.schemas.judgements import HumanFigure, HumanProvenance, JudgementOut
from forger.schemas.nearest import NearestOut, NearestPicture, TypicalDistance
from models.spec.datasets import DATASETS
from models.spec.families import FAMILIES
from models.spec.objectives import Hinge, ObjectiveSpec
from models.spec.penalties import PenaltySpec
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from models.spec.watch import FIGURES
from tests.support.setting_names import environment_variable

DOCS = CHECKOUT / "docs"
_KINDS = {
    union: [arm.model_fields["kind"].default for arm in get_args(get_args(union)[0])]
    for union in (ObjectiveSpec, PenaltySpec)
}


def text(name: str) -> str:
    return (DOCS / name).read_text()


def row(name: str, field: FieldInfo) -> str:
    """Return the setting's line of docs/operations.md."""
    default = "unset" if field.default_factory or field.default in (None, "") else f"`{field.default}`"
    return f"| `{environment_variable(name, field)}` | {default} | {field.description} |"


def kinds(schema: dict[str, Any]) -> set[str]:
    """Return every `kind` that a part of a recipe can have."""
    parts = schema["$defs"].values()
    return {part["properties"]["kind"]["const"] for part in parts if "const" in part["properties"].get("kind", {})}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_table(name: str) -> None:
    line = row(name, Settings.model_fields[name])
    assert line in text("operations.md").splitlines(), f"docs/operations.md lacks the line {line}"


def test_documented_settings_exist() -> None:
    known = {environment_variable(name, field) for name, field in Settings.model_fields.items()}
    pages = [*DOCS.glob("*.md"), CHECKOUT / "README.md"]
    named = {word for page in pages for word in re.findall(r"\bFORGER_[A-Z_]+\b", page.read_text())}
    assert named <= known


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_its_measured_row_and_picture(name: str) -> None:
    if not (gallery.FIGURES / f"{name}.json").is_file():
        pytest.fail(f"{name} was not measured: python -m bench.gallery {name}")
    lines, row = text("recipes.md").splitlines(), gallery.row(FAMILIES[name])
    assert row in lines, "put its line into docs/recipes.md: python -m bench.gallery --table"
    assert (gallery.PICTURES / f"{name}.png").is_file()
    assert re.search(r" (19|20)\d\d, ", FAMILIES[name].paper), "name the paper with its year and place"


@pytest.mark.parametrize("kind", [*_KINDS[ObjectiveSpec], *_KINDS[PenaltySpec]])
def test_every_objective_and_penalty_has_its_formula(kind: str) -> None:
    assert re.search(rf"^\| `{kind}` \| ", text("objectives.md"), re.MULTILINE)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_described_with_its_better_direction(name: str) -> None:
    row = next(line for line in text("figures.md").splitlines() if line.startswith(f"| `{name}` | "))
    assert f" | {FIGURES[name].better} | " in row


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_its_row(name: str) -> None:
    assert re.search(rf"^\| `{name}` \|", text("recipes.md"), re.MULTILINE)


@pytest.mark.parametrize("name", Recipe.model_fields)
def test_every_recipe_field_has_its_row(name: str) -> None:
    assert re.search(rf"^\|.*`{name}`.*\|", text("recipes.md"), re.MULTILINE)


@pytest.mark.parametrize("kind", sorted(kinds(Recipe.model_json_schema())))
def test_every_kind_of_recipe_part_is_documented(kind: str) -> None:
    assert f"`{kind}`" in text("recipes.md")


def test_example_of_the_recipes_page_resolves() -> None:
    example = re.search(r'"overrides": (\{.*\})\}', text("recipes.md"))
    assert example
    family, recipe = resolve("dcgan", dataset="mnist", overrides=json.loads(example[1]))
    assert (family, recipe.objective, recipe.batch_size) == ("dcgan", Hinge(), 32)


def test_every_endpoint_is_in_the_api_page() -> None:
    page = text("api.md")
    paths = create_app(get_settings()).openapi()["paths"]
    endpoints = [f"{method.upper()} {path}" for path, verbs in paths.items() for method in verbs]
    assert len(endpoints) > 15
    assert [endpoint for endpoint in endpoints if f"`{endpoint}`" not in page] == []


BODIES: dict[str, tuple[type[BaseModel], ...]] = {
    "POST /jobs`: train": (TrainIn,),
    "POST /jobs`: evaluate": (EvaluateIn,),
    "POST /jobs`: generate": (GenerateIn,),
    "POST /jobs`: translate": (TranslateIn,),
    "GET /jobs/{job_id}`: read": (JobOut, Progress, Result),
    "GET /jobs/{job_id}/checkpoints": (CheckpointOut,),
    "GET /jobs/{job_id}/artifacts": (ArtifactOut,),
    "POST /sample": (DecodeIn,),
    "GET /interpolate": (InterpolateQuery, InterpolationOut),
    "POST /latent/arithmetic": (ArithmeticIn, TermIn, ArithmeticOut, TermOut, CodeOut),
    "POST /augmentations": (
        AugmentationIn,
        AugmentationOut,
        AugmentationReport,
        AugmentedClass,
        AugmentedGenerator,
        Spread,
        Gain,
    ),
    "GET /models`": (VersionOut,),
    "POST /models/{name}@{version}/judgements": (JudgementIn, AnswerIn, JudgementOut, HumanFigure, HumanProvenance),
    "POST /datasets/{name}/nearest": (NearestOut, NearestPicture, TypicalDistance),
    "POST /features": (FeaturesOut,),
    "POST /edit": (EditIn, EditOut),
    "POST /models/{name}@{version}/directions": (DirectionsIn, LatentsIn, DirectionOut, DirectionList),
    "POST /invert": (InversionOut, InversionProgress),
    "POST /inpaint": (InpaintingOut,),
    "GET /datasets`": (DatasetOut,),
    "GET /recipes`": (RecipeOut, DialOut),
}


@pytest.mark.parametrize("heading", BODIES)
def test_every_body_field_is_in_the_section_of_its_endpoint(heading: str) -> None:
    (section,) = [part for part in text("api.md").split("\n### ") if part.startswith(f"`{heading}")]
    names = [field.alias or name for body in BODIES[heading] for name, field in body.model_fields.items()]
    assert [name for name in names if not re.search(rf'[`"]{name}[`"]', section)] == []


def test_decisions_are_numbered_once_and_in_order() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
