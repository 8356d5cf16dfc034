"""Checks of error replies."""

from typing import Any

from httpx2 import Response

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "errors"}
"""members of every problem document"""


def assert_problem(reply: Response, status: int) -> dict[str, Any]:
    """Check that the reply is a whole problem document with this status; return the document."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = reply.json()
    assert body.keys() >= MEMBERS
    assert body["status"] == status
    assert body["type"].endswith(body["code"])
    assert body["request_id"] == reply.headers["x-request-id"]
    assert body["detail"].rstrip().endswith((".", "'", ")")), body["detail"]
    return body
