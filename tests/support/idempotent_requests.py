"""Requests that may be sent under an idempotency key."""

from typing import Any

import httpx2 as httpx
from starlette.testclient import TestClient


def post_with_key(client: TestClient, path: str, body: Any, key: str | None = None) -> httpx.Response:
    """Send the body as JSON, with the header `Idempotency-Key` if a key is given."""
    headers = {} if key is None else {"Idempotency-Key": key}
    reply: httpx.Response = client.post(path, json=body, headers=headers)
    return reply
