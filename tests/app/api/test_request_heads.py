"""HEAD on every GET route, through a real server: the headers of GET, no body, and nothing waited for."""

from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from fastapi import FastAPI

from app.core.settings import get_settings
from app.main import create_app
from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.support.experiments import make_experiment
from tests.support.jobs import make_job
from tests.support.server import serving
from tests.support.zips import picture, zipped

OWN = frozenset({"date", "x-request-id", "content-length"})
"""headers that differ from reply to reply, and the length, where what is told has moved on"""
MOVING = frozenset({"/metrics"})


@pytest.fixture(scope="module")
def app(api_home: Path) -> FastAPI:
    return create_app(get_settings())


@pytest.fixture(scope="module")
def asked(app: FastAPI) -> Iterator[httpx.Client]:
    with serving(app) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def filled(asked: httpx.Client, publish: Publish) -> dict[str, str]:
    """Something real for each name in an address."""
    publish(name="sevens")
    job = next(job for job in lifecycle.list_jobs()[0] if job.model_name == "sevens")
    sent = asked.post("/datasets", files={"file": ("a.zip", zipped({f"{n}.png": picture(n) for n in range(3)}))},
                      data={"name": "threes"})  # fmt: skip
    assert sent.status_code == 201, sent.text
    artifact = asked.get(f"/jobs/{job.id}/artifacts").json()["data"][0]["id"]
    return {
        "{job_id}": job.id,
        "{artifact_id}": artifact,
        "{experiment_id}": make_experiment(recipe="gan", dataset="ring8", budget={"steps": 3}).id,
        "{version}": "1",
        "/models/{name}": "/models/sevens",
        "/datasets/{name}": "/datasets/threes",
        "/recipes/{name}": "/recipes/gan",
    }


def addresses(app: FastAPI, filled: dict[str, str]) -> Iterator[str]:
    for path, room in app.openapi()["paths"].items():
        if "get" not in room:
            continue
        path = f"{path}?model=sevens&seed=1&n=2" if path == "/sample" else path
        for part, real in filled.items():
            path = path.replace(part, real)
        yield f"/compare?jobs={filled['{job_id}']},job_none" if path == "/compare" else path


def test_head_has_the_headers_of_get_and_no_body(app: FastAPI, asked: httpx.Client, filled: dict[str, str]) -> None:
    walked = list(addresses(app, filled))
    assert len(walked) >= 25
    assert not [path for path in walked if "{" in path]
    for path in walked:
        got, told = asked.get(path), asked.head(path)
        assert got.status_code in ({200, 204} if not path.startswith(("/compare", "/readyz")) else {200, 404, 503}), (
            path
        )
        assert told.status_code == got.status_code, path
        assert told.content == b""
        names = {name: value for name, value in got.headers.items() if name not in OWN}
        assert {name: value for name, value in told.headers.items() if name not in OWN} == names, path
        if path not in MOVING and "content-length" in got.headers:
            assert int(told.headers["content-length"]) == len(got.content), path


def test_head_of_a_stream_does_not_wait_for_its_end(asked: httpx.Client) -> None:
    job = make_job("gan", "ring8")
    told = asked.head(f"/jobs/{job.id}/events", headers={"accept": "text/event-stream"})
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/event-stream")
    assert asked.get("/livez").status_code == 200
    lifecycle.cancel(job.id)


def test_head_where_get_is_not_known_is_refused(asked: httpx.Client) -> None:
    for path, status in (("/translate", 405), ("/nowhere", 404)):
        told = asked.head(path)
        assert (told.status_code, told.content) == (status, b"")
    assert asked.head("/translate").headers["allow"] == "POST"
    assert asked.delete("/sample").headers["allow"] == "GET, HEAD"


def test_the_log_and_the_metrics_know_its_route(asked: httpx.Client) -> None:
    asked.head("/version")
    counted = [line for line in asked.get("/metrics").text.splitlines() if 'method="HEAD"' in line]
    assert any('route="/version"' in line for line in counted)
