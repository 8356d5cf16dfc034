"""Read the fields of a form that say how to search for a latent."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form

from app.core.limits import MAX_RESTARTS, MAX_SEARCH_STEPS, SEED_LIMIT
from app.services.inference.inversion import Plan

FIELDS = ("class", "seed", "steps", "restarts", "feature_weight")


@dataclass(frozen=True)
class SearchForm:
    """The class that is wanted, and the plan."""

    label: str | None
    plan: Plan


async def _search_form(
    class_: Annotated[
        str | None, Form(alias="class", max_length=80, description="A number or a name; by default the nearest.")
    ] = None,
    seed: Annotated[int, Form(ge=0, lt=SEED_LIMIT, description="Of the latents at which the search begins.")] = 0,
    steps: Annotated[int, Form(ge=1, le=MAX_SEARCH_STEPS)] = 200,
    restarts: Annotated[int, Form(ge=1, le=MAX_RESTARTS, description="Attempts from different latents.")] = 8,
    feature_weight: Annotated[
        float | None,
        Form(
            ge=0,
            le=100,
            allow_inf_nan=False,
            description="Weight of the critic's features beside the pixels at the first step; it falls to 0. "
            "Default 0.1, or 0 without a critic or if a part of the picture is unknown.",
        ),
    ] = None,
) -> SearchForm:
    return SearchForm(class_, Plan(seed, steps, restarts, feature_weight))


SearchFormDep = Annotated[SearchForm, Depends(_search_form)]
