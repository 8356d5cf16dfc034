"""Decide what a person with a link may request: what its page needs of one job, experiment or model, and no more."""

from urllib.parse import parse_qs

from starlette.types import Scope

from app.api.headers import SAFE_METHODS
from app.services.links import Shared


def allows(shared: Shared, scope: Scope) -> bool:
    """Return whether the request reads only what the link shows, or sends a judgement of its model."""
    path: str = scope["path"]
    if shared.link.kind == "model":
        return _is_of_model(scope, shared)
    if scope["method"] not in SAFE_METHODS:
        return False
    if path in ("/events", "/compare"):
        requested = _parameters(scope).get("job", []) if path == "/events" else _compared(scope)
        return bool(requested) and shared.jobs.issuperset(requested)
    _, first, *rest = path.split("/")
    if first in ("jobs", "augmentations"):
        return bool(rest) and rest[0] in shared.jobs
    return shared.link.kind == "experiment" and first == "experiments" and rest[:1] == [shared.link.target]


def _is_of_model(scope: Scope, shared: Shared) -> bool:
    path, model = scope["path"], f"/models/{shared.link.target}"
    if path == f"{model}/judgements":
        return scope["method"] in {*SAFE_METHODS, "POST"}
    if scope["method"] not in SAFE_METHODS:
        return False
    if path in ("/sample", "/interpolate"):
        return _parameters(scope).get("model") == [shared.link.target]
    return path == model or path in (f"/datasets/{shared.dataset}", f"/datasets/{shared.dataset}/pictures")


def _compared(scope: Scope) -> list[str]:
    return [job for value in _parameters(scope).get("jobs", []) for job in value.split(",")]


def _parameters(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
