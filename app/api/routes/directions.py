"""Serve /models/{name}@{version}/directions: named directions of a version's latent space."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Path, Response

from app.api.deps import InferenceDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.api.routes.models import Number
from app.core.limits import MAX_ID_CHARACTERS
from app.core.settings import link
from app.schemas.base import Name
from app.schemas.directions import DirectionsIn
from app.schemas.latents import LatentsIn
from app.services.inference.capabilities import PICTURE_DECODING
from app.services.inference.latent_space import codes_of, parse_sample
from app.services.inference.latents import Array, checked_latents, refused
from app.services.inference.service import Inference
from app.services.models import directions
from app.services.models.directions import Found
from app.services.views import VersionView
from forger.schemas.directions import DirectionList

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)
MAX_ANALYSED_SIZE = 1024
"""most numbers of a latent whose directions are found without labels: more take minutes"""
PATH = "/{name}@{version}/directions"


@router.post(
    PATH, status_code=201, dependencies=[Depends(require_json)], responses=refusal_responses(404, 409, 429, 503)
)
async def add_directions(
    name: Name, version: Number, body: DirectionsIn, response: Response, inference: InferenceDep
) -> DirectionList:
    """Find directions of a version's latent space, and keep them for POST /edit.

    Without labels they come from the first layer: `closed_form` or `principal`. With labels, `means`, a direction leads
    from the mean of some latents to the mean of others.
    """
    found_version = await inference.versions.newest(PICTURE_DECODING, f"{name}@{version}")
    found = await _found(body, found_version, inference)
    added = await asyncio.to_thread(directions.add, found_version.reference, found)
    response.headers["Location"] = link(f"/models/{found_version.reference}/directions")
    return added


@router.get(PATH)
def list_directions(name: str, version: Number) -> DirectionList:
    """List the directions of a version, oldest first."""
    return directions.listed(f"{name}@{version}")


@router.delete(PATH + "/{direction}", status_code=204)
def delete_direction(name: str, version: Number, direction: Annotated[str, Path(max_length=MAX_ID_CHARACTERS)]) -> None:
    """Delete a direction."""
    directions.delete(f"{name}@{version}", direction)


def _require_small(version: VersionView) -> None:
    """Raise Invalid if the latent is too large for an analysis of its first layer in a moment."""
    if (size := version.recipe.latent.size) > MAX_ANALYSED_SIZE:
        sentence = f"The latents of {version.reference} have {size} numbers, over {MAX_ANALYSED_SIZE}: use `means`."
        raise refused("/kind", sentence, "model_cannot")


async def _found(body: DirectionsIn, version: VersionView, inference: Inference) -> list[Found]:
    if body.kind != "means":
        for field, value in (("from", body.from_), ("to", body.to)):
            if value is not None:
                raise refused(f"/{field}", f"Only the kind `means` has `{field}`: leave it out.")
        _require_small(version)
        table = await inference.directions(version, body.kind, body.n, body.seed)
        return directions.numbered(
            body.name, body.kind, table, {} if body.kind == "closed_form" else {"seed": body.seed}
        )
    sides = {field: await _latents(field, value, version, inference) for field, value in _sides(body).items()}
    source = {field: _source(value) for field, value in _sides(body).items()}
    return [directions.between_means(body.name, sides["from"], sides["to"], source)]


def _sides(body: DirectionsIn) -> dict[str, LatentsIn]:
    """Return the groups of latents of means. Raises Invalid if one is missing or empty."""
    sides = {}
    for field, value in (("from", body.from_), ("to", body.to)):
        if value is None or not (value.samples or value.latents):
            raise refused(f"/{field}", "The kind `means` has `from` and `to`: write `samples`, `latents` or both.")
        sides[field] = value
    return sides


async def _latents(field: str, group: LatentsIn, version: VersionView, inference: Inference) -> Array:
    parts = [checked_latents(group.latents, version.recipe, version.reference, f"/{field}/latents")]
    if group.samples:
        if not version.recipe.generates:
            sentence = f"{version.reference} draws nothing from noise: write `latents` instead."
            raise refused(f"/{field}/samples", sentence, "model_cannot")
        names = inference.versions.class_names(version)
        samples = [
            parse_sample(name, f"/{field}/samples/{number}", version, names)
            for number, name in enumerate(group.samples)
        ]
        parts.append((await codes_of(samples, version, inference)).latents)
    return np.concatenate([part for part in parts if len(part)])


def _source(group: LatentsIn) -> dict[str, object]:
    return {"samples": group.samples, "latents": len(group.latents)}
