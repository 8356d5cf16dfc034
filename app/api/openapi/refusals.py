"""Describe refusals in the OpenAPI document."""

from typing import Any

MEDIA_TYPE = "application/problem+json"


MEANINGS = {
    400: "The request cannot be read as what it says it is.",
    401: "The key is missing (key_missing) or wrong (key_wrong).",
    403: "A page of another origin sent it, and FORGER_CORS_ORIGINS does not name that.",
    404: "What the address or a parameter names is not here.",
    406: "None of the media types in Accept can be answered.",
    408: "The head took too long, or the body came too slowly.",
    409: "The state of things does not allow it now.",
    413: "The body is larger than the limit.",
    415: "The body is of a media type that is not taken here.",
    416: "The range lies outside of the file.",
    421: "The service does not answer under that host name.",
    422: "The request was understood and refused; `errors` points at what to change.",
    429: "Too much waits already; Retry-After says when to ask again.",
    500: "Something failed on our side; the log tells what, under the request id.",
    503: "A part of the service is missing; the detail says which.",
    507: "A disk, a quota or the database is full; the detail says which. Nothing was kept.",
}


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: what it answers besides what every route of its shape does."""
    reply = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": MEANINGS[status], "content": reply} for status in statuses}
