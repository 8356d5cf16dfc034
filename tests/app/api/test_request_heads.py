"""HEAD on every GET route, through a real server: the headers of GET, no body, and no waiting for streams."""

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from fastapi import FastAPI

from app.core.settings import get_settings
from app.main import create_app
from app.services.jobs import lifecycle
from tests.support.jobs import make_job
from tests.support.route_paths import create_path_values, get_paths
from tests.support.server import serving

CHANGING_HEADERS = frozenset({"date", "x-request-id", "content-length"})
"""headers that may differ between GET and HEAD; the length is compared where the content does not change"""
CHANGING_PATHS = frozenset({"/metrics"})


@pytest.fixture(scope="module")
def app(api_home: Path) -> FastAPI:
    return create_app(get_settings())


@pytest.fixture(scope="module")
def server(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client


def comparable_headers(reply: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in reply.headers.items() if name not in CHANGING_HEADERS}


def test_head_has_the_headers_of_get_and_no_body(app: FastAPI, server: httpx.Client) -> None:
    paths = list(get_paths(app, create_path_values(server)))
    assert len(paths) >= 25
    assert not [path for path in paths if "{" in path]
    for path in paths:
        get, head = server.get(path), server.head(path)
        assert get.status_code in ({200, 204} if not path.startswith(("/compare", "/readyz")) else {200, 404, 503}), (
            path
        )
        assert head.status_code == get.status_code, path
        assert head.content == b""
        assert comparable_headers(head) == comparable_headers(get), path
        if path not in CHANGING_PATHS and "content-length" in get.headers:
            assert int(head.headers["content-length"]) == len(get.content), path


def test_head_of_a_stream_does_not_wait_for_its_end(server: httpx.Client) -> None:
    job = make_job("gan", "ring8")
    head = server.head(f"/jobs/{job.id}/events", headers={"accept": "text/event-stream"})
    assert head.status_code == 200
    assert head.headers["content-type"].startswith("text/event-stream")
    assert server.get("/livez").status_code == 200
    lifecycle.cancel(job.id)


def test_head_is_refused_where_there_is_no_get(server: httpx.Client) -> None:
    for path, status in (("/translate", 405), ("/nowhere", 404)):
        head = server.head(path)
        assert (head.status_code, head.content) == (status, b"")
    assert server.head("/translate").headers["allow"] == "POST"
    assert server.delete("/sample").headers["allow"] == "GET, HEAD, POST"


def test_metrics_count_head_requests_by_route(server: httpx.Client) -> None:
    server.head("/version")
    counted = [line for line in server.get("/metrics").text.splitlines() if 'method="HEAD"' in line]
    assert any('route="/version"' in line for line in counted)
