"""Request bodies of /experiments."""

from typing import Annotated, Any

from pydantic import Field

from app.core.limits import MAX_EXPERIMENT_JOBS
from app.schemas.base import Name, RequestBody, Seed
from app.schemas.jobs import FamilyOrRecipe
from forger.schemas.base import Json


class CaseIn(RequestBody):
    """One case: its changes on top of what is common to all cases."""

    name: Name | None = Field(None, description="Default: the name of the case's family.")
    recipe: FamilyOrRecipe | None = None
    overrides: Json | None = Field(None, description="Merged over the experiment's overrides (RFC 7396).")


class ExperimentIn(RequestBody):
    """Trainings to create: cases times seeds. The cases are listed, or a grid, or the recipe alone."""

    name: Name | None = None
    recipe: FamilyOrRecipe | None = Field(None, description="The recipe of every case that does not name another.")
    dataset: str | None = Field(None, max_length=100)
    budget: Json | None = Field(None, description='For example {"steps": 1200}.')
    overrides: Json | None = Field(None, description="Changes to every case's family (RFC 7396).")
    cases: list[CaseIn] | None = Field(None, min_length=1, max_length=MAX_EXPERIMENT_JOBS)
    grid: dict[str, Annotated[list[Any], Field(min_length=1, max_length=MAX_EXPERIMENT_JOBS)]] | None = Field(
        None,
        min_length=1,
        max_length=16,
        description='Lists of values by JSON pointers into the recipe, for example {"/batch_size": [32, 64]}; '
        "every combination is a case.",
    )
    seeds: (
        Annotated[int, Field(ge=1, le=MAX_EXPERIMENT_JOBS)]
        | Annotated[list[Seed], Field(min_length=1, max_length=MAX_EXPERIMENT_JOBS)]
    ) = Field(1, description="Seeds of every case, or the number of seeds: 3 stands for 1, 2 and 3.")
    model: Name | None = Field(None, description="First part of the models' names; default the experiment's name.")
    dry_run: bool = Field(False, description="Reply with the jobs that would be created, and create nothing.")
