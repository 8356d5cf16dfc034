"""A client of a real service, and a job that has been trained there."""

from collections.abc import Iterator

import pytest

from forger import Forger, Job
from tests.support.service import Service


@pytest.fixture(scope="module")
def forger(service: Service) -> Iterator[Forger]:
    with Forger(service.url) as client:
        yield client


@pytest.fixture(scope="module")
def trained(forger: Forger) -> Job:
    """A job that has succeeded after a few steps."""
    job = forger.train("cdcgan", dataset="digits", seed=1, budget={"steps": 6}).wait()
    assert job.state == "succeeded", job.reply.status_reason
    return job
