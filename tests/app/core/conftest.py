"""A stopped service whose log the tests read."""

import pytest

from tests.conftest import StartService
from tests.support.service import Service, end
from tests.support.wait import until


@pytest.fixture(scope="module")
def logged_service(start_service: StartService) -> tuple[Service, str]:
    """A stopped service that trained a job whose runner was killed once, and the job's id."""
    service = start_service(FORGER_LOG_LEVEL="debug")
    request = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 400}, "overrides": {"checkpoint_every": 5}}
    job_id = service.post(**request)
    runner = until(lambda: service.job(job_id)["progress"]["step"] > 5 and service.runner(job_id))
    assert runner
    end(runner)
    service.wait_for(job_id, "succeeded")
    service.client.get(f"/jobs/{job_id}", headers={"x-request-id": "mine-1"})
    service.client.get("/livez", headers={"x-request-id": "probe-1"})
    service.client.get("/nothing/here", headers={"x-request-id": "lost-1"})
    service.client.get("/jobs", headers={"x-request-id": "listed-1", "host": "evil.example"})
    service.stop()
    return service, job_id
