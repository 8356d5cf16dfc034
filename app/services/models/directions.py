"""Keep named directions of the latent spaces of model versions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import Conflict, FieldError, Invalid, NotFound
from app.core.limits import MAX_DIRECTIONS
from app.db.repositories import directions as rows
from app.db.repositories import models as versions
from app.db.session import unit_of_work
from app.db.tables import LatentDirection
from app.services.models import registry
from forger.schemas.directions import DirectionList, DirectionOut

Array = NDArray[Any]
MIN_LENGTH = 1e-6
"""distance of two means below which no direction leads from one to the other"""


@dataclass(frozen=True, eq=False)
class Found:
    """A direction that was found: its name, source and strength, and its unit vector float32 [size]."""

    name: str
    kind: str
    source: Mapping[str, Any]
    strength: float
    vector: Array


def numbered(name: str, kind: str, table: Array, source: Mapping[str, Any]) -> list[Found]:
    """Return directions of a table [n, 1 + size] of strengths and vectors; several have numbers behind their name.

    Those without strength are left out.
    """
    kept = [row for row in table if row[0] > MIN_LENGTH]
    names = [name] if len(table) == 1 else [f"{name}-{number}" for number in range(1, len(kept) + 1)]
    return [
        Found(one, kind, {**source, "rank": rank}, float(row[0]), row[1:])
        for rank, (one, row) in enumerate(zip(names, kept, strict=False), 1)
    ]


def between_means(name: str, without: Array, with_: Array, source: Mapping[str, Any]) -> Found:
    """Return the direction from the mean of latents [n, size] to that of others; its strength is their distance.

    Raises Invalid if both means are equal.
    """
    difference = with_.mean(0, dtype=np.float64) - without.mean(0, dtype=np.float64)
    length = float(np.linalg.norm(difference))
    if length < MIN_LENGTH:
        sentence = "The means of `from` and `to` are equal, so no direction leads from one to the other: change one."
        raise Invalid(sentence, code="no_direction", errors=(FieldError("/to", sentence),))
    return Found(name, "means", source, length, (difference / length).astype(np.float32))


def add(reference: str, found: Sequence[Found]) -> DirectionList:
    """Keep directions of a version, all or none; return them. Raises NotFound, Conflict, Invalid if none were found."""
    if not found or not all(np.isfinite([one.strength, *one.vector]).all() for one in found):
        sentence = f"{reference} has no such direction: its first layer does not depend on the latent, or diverged."
        raise Conflict(sentence, code="no_direction", errors=(FieldError("/kind", sentence),))
    with unit_of_work() as session:
        row = versions.find(session, *registry.parse(reference), lock=True)
        if row is None:
            raise registry.not_found(reference)
        if rows.count(session, row.id) + len(found) > MAX_DIRECTIONS:
            sentence = f"{reference} may have {MAX_DIRECTIONS} directions (directions): delete some first."
            raise Conflict(sentence, code="too_many_directions")
        for one in found:
            values = {"kind": one.kind, "source": dict(one.source), "strength": one.strength}
            if rows.add(session, row.id, one.name, vector=one.vector.tolist(), **values) is None:
                sentence = f"{reference} has a direction '{one.name}' already: choose another name, or delete it."
                raise Conflict(sentence, code="direction_exists", errors=(FieldError("/name", sentence),))
        added = rows.of_version(session, row.id, {one.name for one in found})
        return DirectionList(model=reference, data=[_out(each) for each in added])


def listed(reference: str) -> DirectionList:
    """Return all directions of a version. Raises NotFound."""
    with unit_of_work(read_only=True) as session:
        row = versions.find(session, *registry.parse(reference))
        if row is None:
            raise registry.not_found(reference)
        data = [_out(each) for each in rows.of_version(session, row.id)]
        return DirectionList(model=f"{row.name}@{row.version}", data=data)


def delete(reference: str, name: str) -> None:
    """Delete a direction. Raises NotFound."""
    with unit_of_work() as session:
        row = versions.find(session, *registry.parse(reference))
        if row is None:
            raise registry.not_found(reference)
        found = rows.of_version(session, row.id, {name})
        if not found:
            raise _no_direction(reference, name)
        session.delete(found[0])


def vectors(reference: str, moves: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    """Return the vectors float64 [size] of the directions that moves name. Raises Invalid at the first unknown one."""
    known = {one.name: np.array(one.vector) for one in listed(reference).data}
    for number, move in enumerate(moves):
        for name in move:
            if name not in known:
                sentence = _no_direction(reference, name).detail
                raise Invalid(sentence, code="no_direction", errors=(FieldError(f"/moves/{number}/{name}", sentence),))
    return known


def _no_direction(reference: str, name: str) -> NotFound:
    sentence = f"{reference} has no direction '{name[:80]}'. GET /models/{reference}/directions lists its directions."
    return NotFound(sentence, code="no_direction")


def _out(row: LatentDirection) -> DirectionOut:
    return DirectionOut.model_validate(row)
