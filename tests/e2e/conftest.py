"""What the kill tests compare with."""

import pytest

from tests.conftest import StartService
from tests.support.kills import JOBS, post


@pytest.fixture(scope="session")
def unbroken(start_service: StartService) -> dict[str, str]:
    """sha256 of each family's export, from a service where nothing happens."""
    service = start_service()
    ids = {family: post(service, family) for family in JOBS}
    sums = {family: service.wait_for(job_id, "succeeded")["result"]["export_sha256"] for family, job_id in ids.items()}
    service.stop()
    return sums
