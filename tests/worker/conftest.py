"""Fixtures for the tests of workers."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import MOSTLY_SQLITE
from tests.support.worker import Process, running_redis


@pytest.fixture(scope="module", params=MOSTLY_SQLITE)
def backend(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    """Restore the CPU affinity: a runner in this process pins its threads, and later tests need all cores."""
    cores = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture
def broker(database: Path) -> Iterator[Process]:
    """Run a Redis of the test's own, beside a fresh database."""
    with running_redis() as process:
        yield process
