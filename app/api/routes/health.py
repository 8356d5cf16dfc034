"""Serve /livez, /readyz, /version, /metrics and the index."""

import platform

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import RedirectResponse

from app.api.deps import InferenceDep
from app.api.headers import prefers_page
from app.api.openapi.refusals import refusal_responses
from app.api.problems import problem
from app.core.settings import ROOT_SEGMENTS, link
from app.services.system import health, overview
from app.services.system.metrics import Metrics
from forger.schemas.catalog import Alive, Check, Index, Ready, SystemOut, Version
from forger.wire import VERSION

router = APIRouter(tags=["health"])


NAME = "forger"
LONGER_PATHS = {"latent": "/latent/arithmetic"}
"""an address for each first segment that is none by itself"""


@router.get("/", response_model=Index)
def get_index(request: Request) -> Index | Response:
    """List the addresses of this service. A browser is sent to the studio."""
    if prefers_page(request.scope):
        return RedirectResponse(link("/studio/jobs"), headers={"Vary": "Accept"})
    paths = {name.removesuffix(".json"): f"/{name}" for name in ROOT_SEGMENTS} | LONGER_PATHS
    return Index(name=NAME, version=VERSION, links={name: link(path) for name, path in paths.items()})


@router.get("/livez")
async def get_livez() -> Alive:
    """Say that the process is alive. It does not check database, broker or engine."""
    return Alive(status="ok")


@router.get("/readyz", response_model=Ready, responses=refusal_responses(503))
def get_readyz(request: Request, inference: InferenceDep) -> Ready | Response:
    """Check database, broker and engine. 503 names what is missing; a host without torch is ready without an engine."""
    faults = {"database": health.database(), "broker": health.broker(), "engine": inference.health()}
    named = {part: Check(ok=fault is None, detail=fault or "ok") for part, fault in faults.items()}
    if reason := inference.why_no_engine():
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
def get_version() -> Version:
    """Name the version that runs."""
    return Version(name=NAME, version=VERSION, python=platform.python_version())


@router.get("/system")
def get_system() -> SystemOut:
    """Describe queues, workers that hold jobs, disk, versions and machine."""
    return SystemOut.model_validate(overview.describe())


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def get_metrics(request: Request) -> Response:
    """Read the metrics for Prometheus. They count requests of this process, its engine's work, and the jobs."""
    metrics: Metrics = request.app.state.metrics
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
