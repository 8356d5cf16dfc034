"""/livez, /readyz, /version, and the index."""

import platform
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter, Request, Response

from app.api.deps import TheInference
from app.api.problems import problem, refused
from app.schemas.catalog import Alive, Check, Index, Ready, Version
from app.services import health

router = APIRouter(tags=["health"])

NAME = "forger"
DOORS = (
    "jobs", "sample", "translate", "models", "datasets", "recipes", "limits",
    "livez", "readyz", "metrics", "version", "openapi.json",
)  # fmt: skip


def own_version() -> str:
    try:
        return version(NAME)
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0+checkout"


@router.get("/")
def index() -> Index:
    """The doors of this service."""
    return Index(name=NAME, version=own_version(), links={door.removesuffix(".json"): f"/{door}" for door in DOORS})


@router.get("/livez")
async def livez() -> Alive:
    """The process answers."""
    return Alive(status="ok")


@router.get("/readyz", response_model=Ready, responses=refused(503))
def readyz(request: Request, inference: TheInference) -> Ready | Response:
    """Database, broker and engine; 503 names what is missing. A host without torch is ready without an engine."""
    faults = {"database": health.database(), "broker": health.broker(), "engine": inference.health()}
    named = {part: Check(ok=fault is None, detail=fault or "ok") for part, fault in faults.items()}
    if reason := inference.absence():
        named["engine"] = Check(ok=True, detail=reason)
    if all(check.ok for check in named.values()):
        return Ready(status="ready", checks=named)
    missing = " ".join(f"{part}: {check.detail}" for part, check in named.items() if not check.ok)
    return problem(
        request.scope,
        503,
        f"Not ready. {missing}",
        code="not_ready",
        headers={"Retry-After": "1"},
        checks={part: check.model_dump() for part, check in named.items()},
    )


@router.get("/version")
def version_() -> Version:
    return Version(name=NAME, version=own_version(), python=platform.python_version())
