"""`forger serve` with FORGER_INFERENCE=workers: the API makes no pictures, a process beside it does."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartService
from tests.support.service import Service
from tests.support.wait import until


@pytest.fixture(scope="module")
def apart(start_service: StartService) -> Iterator[Service]:
    """With a model that it trained itself."""
    service = start_service(FORGER_INFERENCE="workers")
    trained = service.post(recipe="gan", dataset="ring8", budget={"steps": 3})
    service.wait_for(trained, "succeeded")
    yield service
    service.stop()


def inference(service: Service) -> psutil.Process | None:
    return service.find("worker.inference.worker")


def test_the_api_draws_without_torch(apart: Service) -> None:
    first = apart.client.get("/sample?n=8&seed=1")
    assert first.status_code == 200, first.text
    assert apart.client.get("/sample?n=8&seed=1").content == first.content
    api, worker = apart.find("uvicorn"), inference(apart)
    assert api is not None
    assert worker is not None
    assert not has_torch(api)
    assert has_torch(worker)
    assert apart.client.get("/readyz").status_code == 200


def test_what_needs_networks_in_the_api_is_refused_with_where_to_go(apart: Service) -> None:
    wish = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "dry_run": True}
    planned = apart.client.post("/jobs", json=wish).json()
    assert planned["estimate"]["parameters"]["generator"] > 0, "to estimate needs no networks"
    checkpoint = apart.client.get("/jobs").json()["data"][0]["id"]
    newest = apart.client.get(f"/jobs/{checkpoint}/checkpoints").json()["data"][-1]["id"]
    refused = apart.client.post("/models", json={"name": "mine", "checkpoint": newest})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_engine")
    assert "FORGER_INFERENCE=workers" in refused.json()["detail"]


def test_a_killed_inference_worker_is_started_again(apart: Service) -> None:
    killed = inference(apart)
    assert killed is not None
    killed.kill()
    until(lambda: (again := inference(apart)) is not None and again.pid != killed.pid)
    assert apart.client.get("/sample?n=8&seed=2", timeout=60).status_code == 200


def test_it_stops_with_the_others(apart: Service) -> None:
    children = apart.descendants()
    assert len(children) >= 4
    assert apart.stop() == 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def has_torch(process: psutil.Process) -> bool:
    """By the libraries it holds, whoever imported them."""
    return "libtorch" in Path(f"/proc/{process.pid}/maps").read_text()
