"""The same kills on PostgreSQL, and kills of PostgreSQL itself: the bytes are those of the unbroken run.

A smaller set than on SQLite, for time: two families, and the kills of each in one job.
"""

from collections.abc import Iterator

import pytest

from tests.conftest import StartService
from tests.support.kills import finish, kill_runner, kill_service, kill_worker, post, random_steps, unbroken
from tests.support.postgres import Postgres
from tests.support.service import Service
from tests.support.wait import until
from tests.support.watch import Watch

FAMILIES = ("dcgan", "cyclegan")
BLOWS = (kill_runner, kill_worker, kill_service) * 2


@pytest.fixture
def own_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """A server that the test may hurt; `postgres` has seen that one can be started."""
    server = Postgres().start()
    yield server
    server.remove()


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_a_killed_job_ends_with_the_unbroken_runs_bytes(
    start_service: StartService, postgres: Postgres, family: str
) -> None:
    service = start_service(DATABASE_URL=postgres.url(postgres.create()))
    whole = unbroken(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    for blow, step in zip(BLOWS, random_steps(f"{family}/postgresql", len(BLOWS)), strict=True):
        watch.until_step(step)
        blow(service, job_id)
        watch.until_next_attempt()
    assert finish(service, job_id, attempts=len(BLOWS) + 1) == whole


@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_database_that_dies_under_a_job_costs_time_and_nothing_else(
    start_service: StartService, own_postgres: Postgres, family: str
) -> None:
    service = start_service(DATABASE_URL=own_postgres.url(own_postgres.create()))
    whole = unbroken(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    for step in random_steps(f"{family}/crash", 1):
        watch.until_step(step)
        crash_until_felt(own_postgres, service)
        own_postgres.start()
        until(lambda: service.client.get("/readyz").status_code == 200)
    assert finish(service, job_id, attempts=1) == whole


def crash_until_felt(postgres: Postgres, service: Service) -> None:
    """The API says that the database is away, and the job's supervisor or its runner has missed it."""
    known = len(service.log.read_text())
    postgres.crash()
    refused = service.client.get("/jobs")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_away")
    assert "database" in service.client.get("/readyz").json()["detail"]
    until(lambda: any(word in service.log.read_text()[known:] for word in ("renewal_failed", "attempt_lost")))
