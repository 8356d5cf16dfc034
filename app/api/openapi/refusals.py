"""Describe refusals in the OpenAPI document."""

from typing import Any

PROBLEM_MEDIA_TYPE = "application/problem+json"


STATUS_DESCRIPTIONS = {
    400: "The request is malformed.",
    401: "The key is missing (key_missing) or wrong (key_wrong).",
    403: "A page of another origin sent the request, and FORGER_CORS_ORIGINS does not name that origin.",
    404: "The address or a parameter names something that does not exist.",
    406: "None of the media types in Accept can be answered.",
    408: "The head took too long, or the body came too slowly.",
    409: "The current state does not allow it.",
    413: "The body is larger than the limit.",
    415: "The media type of the body is not accepted here.",
    416: "The range lies outside of the file.",
    421: "The service does not answer under that host name.",
    422: "The request was understood and refused; `errors` points at what to change.",
    429: "Too much is waiting already; Retry-After says when to try again.",
    500: "Something failed in the service; its log says what, under the request id.",
    503: "A part of the service is missing; the detail says which.",
    507: "A disk, a quota or the database is full; the detail says which. Nothing was kept.",
}


def refusal_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return a route's `responses` for refusals in addition to those of every route of its shape."""
    reply = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": STATUS_DESCRIPTIONS[status], "content": reply} for status in statuses}
