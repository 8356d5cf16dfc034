"""Serve /models: trained models by name and version; any checkpoint can be published."""

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.api.deps import InferenceDep, require_json
from app.api.openapi.refusals import refusal_responses
from app.api.requests.json_bodies import JsonRoute
from app.core.settings import link
from app.schemas.base import Name
from app.schemas.catalog import ModelIn
from app.schemas.catalog_replies import version_out
from app.services.models import registry
from forger.schemas.catalog import ModelDetail, ModelList, ModelOut, VersionOut

router = APIRouter(prefix="/models", tags=["models"], route_class=JsonRoute)

Number = Annotated[int, Path(ge=1, lt=2**31)]


@router.get("")
def list_models() -> ModelList:
    """List models by name. Each comes with its newest version."""
    versions = sorted(registry.versions(), key=lambda version: (version.name, -version.version))
    data = []
    for name, group in groupby(versions, key=lambda version: version.name):
        newest_first = list(group)
        numbers = [version.version for version in newest_first]
        data.append(ModelOut(name=name, latest=version_out(newest_first[0]), versions=numbers))
    return ModelList(data=data)


@router.post(
    "", status_code=201, dependencies=[Depends(require_json)], responses=refusal_responses(404, 409, 429, 503, 507)
)
def publish_model(body: ModelIn, response: Response, inference: InferenceDep) -> VersionOut:
    """Publish a checkpoint. It may be of any job, also one that still trains; it becomes the name's next version."""
    with inference.publishing():
        version = registry.publish(body.name, body.checkpoint, inference.export)
    inference.versions.refresh()
    response.headers["Location"] = link(f"/models/{version.reference}")
    return version_out(version)


@router.get("/{name}@{version}")
def get_model_version(name: str, version: Number) -> VersionOut:
    """Read one version of a model."""
    return version_out(registry.find(f"{name}@{version}"))


@router.get("/{name}")
def get_model(name: str) -> ModelDetail:
    """List the versions of a model, newest first."""
    own = [version for version in registry.versions() if version.name == name]
    if not own:
        raise registry.not_found(name)
    return ModelDetail(name=name, versions=[version_out(version) for version in own])


@router.delete("/{name}@{version}", status_code=204)
def delete_model_version(name: Name, version: Number, inference: InferenceDep) -> None:
    """Withdraw one version. Its number is not used again."""
    registry.delete(name, version)
    inference.versions.refresh()


@router.delete("/{name}", status_code=204)
def delete_model(name: Name, inference: InferenceDep) -> None:
    """Withdraw every version of a name. The next published version gets the next number."""
    registry.delete(name)
    inference.versions.refresh()
