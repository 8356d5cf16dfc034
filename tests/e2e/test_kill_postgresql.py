"""Kills with PostgreSQL, and crashes of PostgreSQL itself: the job exports the bytes of an undisturbed run.

There are fewer cases than with SQLite, to save time: two families, each with all kills in one job.
"""

from collections.abc import Iterator

import pytest

from tests.conftest import StartService
from tests.support.kills import finish, kill_runner, kill_service, kill_worker, post, random_steps, undisturbed_export
from tests.support.postgres import Postgres
from tests.support.service import Service
from tests.support.wait import until
from tests.support.watch import Watch

FAMILIES = ("dcgan", "cyclegan")
KILLS = (kill_runner, kill_worker, kill_service) * 2


@pytest.fixture
def own_postgres(postgres: Postgres) -> Iterator[Postgres]:
    """A server that the test may crash; the fixture `postgres` skips where none can be started."""
    server = Postgres().start()
    yield server
    server.remove()


def crash_until_noticed(postgres: Postgres, service: Service) -> None:
    """Crash the database; wait until the API reports it, and the supervisor or the runner has failed to write."""
    length_before = len(service.log.read_text())
    postgres.crash()
    refused = service.client.get("/jobs")
    assert (refused.status_code, refused.json()["code"]) == (503, "database_away")
    assert "database" in service.client.get("/readyz").json()["detail"]
    until(lambda: any(word in service.log.read_text()[length_before:] for word in ("renewal_failed", "attempt_lost")))


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_killed_job_ends_with_the_bytes_of_an_undisturbed_run(
    start_service: StartService, postgres: Postgres, family: str
) -> None:
    service = start_service(DATABASE_URL=postgres.url(postgres.create()))
    expected = undisturbed_export(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    for kill, step in zip(KILLS, random_steps(f"{family}/postgresql", len(KILLS)), strict=True):
        watch.until_step(step)
        kill(service, job_id)
        watch.until_next_attempt()
    assert finish(service, job_id, attempts=len(KILLS) + 1) == expected


@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", FAMILIES)
def test_crash_of_the_database_does_not_change_the_job(
    start_service: StartService, own_postgres: Postgres, family: str
) -> None:
    service = start_service(DATABASE_URL=own_postgres.url(own_postgres.create()))
    expected = undisturbed_export(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    for step in random_steps(f"{family}/crash", 1):
        watch.until_step(step)
        crash_until_noticed(own_postgres, service)
        own_postgres.start()
        until(lambda: service.client.get("/readyz").status_code == 200)
    assert finish(service, job_id, attempts=1) == expected
