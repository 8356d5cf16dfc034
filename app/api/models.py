"""/models: what was learned, by name and version."""

from itertools import groupby

from fastapi import APIRouter

from app.core.errors import NotFound
from app.schemas.catalog import ModelDetail, ModelList, ModelOut, VersionOut
from app.services import models

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def listed() -> ModelList:
    """By name; each with its newest version."""
    versions = sorted(models.versions(), key=lambda version: (version.name, -version.version))
    data = []
    for name, group in groupby(versions, key=lambda version: version.name):
        own = list(group)
        data.append(ModelOut(name=name, latest=VersionOut.of(own[0]), versions=[version.version for version in own]))
    return ModelList(data=data)


@router.get("/{name}")
def read(name: str) -> ModelDetail:
    """Every version of one name, newest first."""
    own = [version for version in models.versions() if version.name == name]
    if not own:
        raise NotFound(f"There is no model '{name[:80]}'. GET /models lists them.", code="no_model")
    return ModelDetail(name=name, versions=[VersionOut.of(version) for version in own])
