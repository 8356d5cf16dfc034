"""Serve /recipes: the families, with their defaults and the settings that a person usually changes."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.schemas.catalog_replies import recipe_out
from app.services import recipes
from forger.schemas.catalog import RecipeList, RecipeOut
from models.spec.families import FAMILIES, Family

router = APIRouter(prefix="/recipes", tags=["catalogue"])


@router.get("")
def list_recipes(
    schema: Annotated[
        bool, Query(description="Whether each family repeats the JSON Schema of a recipe, which is the same for all.")
    ] = True,
) -> RecipeList:
    """List the families. Each has its defaults and the settings that a person usually changes."""
    families = [_out(family) for family in FAMILIES.values()]
    if not schema:
        families = [family.model_copy(update={"schema_": None}) for family in families]
    return RecipeList(data=families)


@router.get("/{name}")
def get_recipe(name: str) -> RecipeOut:
    """Read one family."""
    return _out(recipes.find(name))


def _out(family: Family) -> RecipeOut:
    return recipe_out(family, recipes.schema(), recipes.defaults(family.name), recipes.dials(family))
