"""Fixtures of the tests that start real workers."""

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
    """A runner that works in this process holds one core: the tests after it, and what they start, need the others."""
    cores = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cores)


@pytest.fixture
def broker(database: Path) -> Iterator[Process]:
    """A Redis of the test's own, beside a fresh database."""
    with running_redis() as process:
        yield process
