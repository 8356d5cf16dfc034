"""Behind a proxy with a path prefix every link has the prefix, and every link can be followed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from app.core.settings import ROOT_SEGMENTS, Settings, get_settings
from app.main import create_app
from tests.support.experiments import RING
from tests.support.jobs import make_job
from tests.support.settings import clear_caches

ROOT = "/lab/forger"
NO_PLAIN_GET = (
    "/translate", "/augmentations", "/sample", "/interpolate", "/latent/arithmetic", "format=png", "/compare",
    "/readyz", "/inpaint", "/upscale", "/features", "/invert", "/edit",
)  # fmt: skip
"""ends of links that need a body, a parameter or a broker"""
LINK = re.compile(r'"(/[a-z][^"]*)"')


@pytest.fixture
def client(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setenv("FORGER_ROOT_PATH", f"{ROOT}/")
    clear_caches()
    with TestClient(create_app(get_settings()), base_url="http://127.0.0.1") as client:
        yield client


def test_location_and_links_have_the_prefix_and_can_be_followed(client: TestClient) -> None:
    job = client.post(f"{ROOT}/jobs", json={"kind": "train", **RING})
    assert job.status_code == 201, job.text
    assert job.headers["location"] == f"{ROOT}/jobs/{job.json()['id']}"
    assert client.get(job.headers["location"]).json()["id"] == job.json()["id"]
    experiment = client.post("/experiments", json=RING | {"seeds": 2})
    assert experiment.status_code == 201, experiment.text
    n_followed = 0
    for path in ("/", "/jobs", job.headers["location"], experiment.headers["location"], "/datasets/digits"):
        for link in LINK.findall(client.get(path).text):
            assert link.startswith(f"{ROOT}/"), f"{path} links to {link}"
            if not link.endswith(("/events", "/metrics", *NO_PLAIN_GET)):
                assert client.get(link).status_code == 200, link
                n_followed += 1
    assert n_followed > 10


def test_requests_are_served_with_and_without_the_prefix(client: TestClient) -> None:
    job = make_job()
    assert client.get(f"/jobs/{job.id}").json() == client.get(f"{ROOT}/jobs/{job.id}").json()
    assert client.get(f"{ROOT}{ROOT}/jobs").status_code == 404


def test_sampling_without_a_model_names_the_request_that_trains_one(client: TestClient) -> None:
    for path in ("/sample", "/sample?model=sevens", "/sample?class=7"):
        detail = client.get(path).json()["detail"]
        assert f"POST {ROOT}/jobs trains one" in detail
        assert "127.0.0.1" not in detail
        body = json.loads(detail[detail.index("{") : detail.rindex("}") + 1])
        assert client.post("/jobs", json=body | {"dry_run": True}).json()["refusals"] == []


def test_openapi_document_has_the_prefix_as_server(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["servers"] == [{"url": ROOT}]
    assert "/jobs" in document["paths"]


@pytest.mark.parametrize(
    "path", ["forger", "//forger", "/a b", "/a/../b", "/a?b", *(f"/{segment}" for segment in ROOT_SEGMENTS)]
)
def test_invalid_or_reserved_prefix_is_refused(path: str) -> None:
    with pytest.raises(ValidationError, match=r"write it like /forger|choose another name"):
        Settings(root_path=path)
