"""/models: what was learned, by name and version; any checkpoint can be published."""

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from app.api.deps import TheInference, json_body
from app.api.openapi.refusals import refused
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
        own = list(group)
        data.append(ModelOut(name=name, latest=version_out(own[0]), versions=[version.version for version in own]))
    return ModelList(data=data)


@router.post("", status_code=201, dependencies=[Depends(json_body)], responses=refused(404, 409, 429, 503, 507))
def publish_model(asked: ModelIn, response: Response, inference: TheInference) -> VersionOut:
    """Publish a checkpoint. Any job's, which may still be training; it becomes the next version of the name."""
    with inference.publishing():
        made = registry.publish(asked.name, asked.checkpoint, inference.export)
    inference.refresh()
    response.headers["Location"] = link(f"/models/{made.reference}")
    return version_out(made)


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
def delete_model_version(name: Name, version: Number, inference: TheInference) -> None:
    """Withdraw one version. Its number is not given again."""
    registry.delete(name, version)
    inference.refresh()


@router.delete("/{name}", status_code=204)
def delete_model(name: Name, inference: TheInference) -> None:
    """Withdraw every version of a name. The next one published is numbered on."""
    registry.delete(name)
    inference.refresh()
