"""`forger serve` with FORGER_INFERENCE=workers: a process beside the API generates the pictures."""

from collections.abc import Iterator

import psutil
import pytest

from tests.conftest import StartService
from tests.support.processes import all_ended, has_loaded
from tests.support.service import Service
from tests.support.wait import until


@pytest.fixture(scope="module")
def service(start_service: StartService) -> Iterator[Service]:
    """A service with a separate inference worker and a model."""
    service = start_service(FORGER_INFERENCE="workers")
    trained = service.post(recipe="gan", dataset="ring8", budget={"steps": 3})
    service.wait_for(trained, "succeeded")
    yield service
    service.stop()


def inference_worker(service: Service) -> psutil.Process | None:
    return service.find("worker.inference.worker")


def test_api_samples_without_loading_torch(service: Service) -> None:
    first = service.client.get("/sample?n=8&seed=1")
    assert first.status_code == 200, first.text
    assert service.client.get("/sample?n=8&seed=1").content == first.content
    api, worker = service.find("uvicorn"), inference_worker(service)
    assert api is not None
    assert worker is not None
    assert not has_loaded(api, "libtorch")
    assert has_loaded(worker, "libtorch")
    assert service.client.get("/readyz").status_code == 200


def test_publishing_a_checkpoint_is_refused_but_estimates_work(service: Service) -> None:
    request = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "dry_run": True}
    plan = service.client.post("/jobs", json=request).json()
    assert plan["estimate"]["parameters"]["generator"] > 0, "an estimate needs no networks"
    job_id = service.client.get("/jobs").json()["data"][0]["id"]
    checkpoint_id = service.client.get(f"/jobs/{job_id}/checkpoints").json()["data"][-1]["id"]
    refused = service.client.post("/models", json={"name": "mine", "checkpoint": checkpoint_id})
    assert (refused.status_code, refused.json()["code"]) == (503, "no_engine")
    assert "FORGER_INFERENCE=workers" in refused.json()["detail"]


def test_killed_inference_worker_is_restarted(service: Service) -> None:
    killed = inference_worker(service)
    assert killed is not None
    killed.kill()
    until(lambda: (restarted := inference_worker(service)) is not None and restarted.pid != killed.pid)
    assert service.client.get("/sample?n=8&seed=2", timeout=60).status_code == 200


def test_inference_worker_stops_with_the_service(service: Service) -> None:
    children = service.descendants()
    assert len(children) >= 4
    assert service.stop() == 0
    assert all_ended(children)
