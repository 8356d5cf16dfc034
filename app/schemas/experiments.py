"""Bodies of /experiments."""

from typing import Annotated, Any

from pydantic import Field

from app.core.limits import EXPERIMENT_JOBS
from app.schemas.base import In, Name, Seed
from app.schemas.jobs import FamilyOrRecipe
from forger.schemas.base import Json


class CaseIn(In):
    """One cell: what it changes, on top of what is common to all."""

    name: Name | None = Field(None, description="Default: its family's name.")
    recipe: FamilyOrRecipe | None = None
    overrides: Json | None = Field(None, description="Merged over those of the experiment, as RFC 7396.")


class ExperimentIn(In):
    """Cases times seeds, each a job. The cases are listed, or crossed from a grid, or the recipe alone."""

    name: Name | None = None
    recipe: FamilyOrRecipe | None = Field(None, description="Of every case that has none of its own.")
    dataset: str | None = Field(None, max_length=100)
    budget: Json | None = Field(None, description='For example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to every case's family (RFC 7396).")
    cases: list[CaseIn] | None = Field(None, min_length=1, max_length=EXPERIMENT_JOBS)
    grid: dict[str, Annotated[list[Any], Field(min_length=1, max_length=EXPERIMENT_JOBS)]] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description='Values by JSON pointer into the recipe, crossed: {"/batch_size": [32, 64]}.',
    )
    seeds: (
        Annotated[int, Field(ge=1, le=EXPERIMENT_JOBS)]
        | Annotated[list[Seed], Field(min_length=1, max_length=EXPERIMENT_JOBS)]
    ) = Field(1, description="Seeds of every case, or their number: 3 stands for 1, 2 and 3.")
    model: Name | None = Field(None, description="What names of models begin with; default the experiment's name.")
    dry_run: bool = Field(False, description="Answer which jobs there would be, and create nothing.")
