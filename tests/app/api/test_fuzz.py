"""Thousands of random requests, most of them wrong: each is answered or refused, and none causes a server error."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from httpx2 import InvalidURL
from hypothesis import HealthCheck, Phase, given, seed, settings
from starlette.testclient import TestClient

from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.support.problems import assert_problem
from tests.support.random_requests import operations_of, requests

REQUESTS = 500
"""requests of each seed"""
SEED_OFFSETS = range(4)
SEEDED = settings(database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed_offset", SEED_OFFSETS)
def test_random_requests_never_cause_a_server_error(
    seed_offset: int, client: TestClient, publish: Publish, api_home: Path
) -> None:
    known = [
        publish(name="fuzzed"),
        publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1}),
    ]
    known += ["fuzzed", "night", "digits", "cdcgan", lifecycle.list_jobs()[0][0].id]
    operations = operations_of(client)
    statuses: Counter[int] = Counter()
    job_ids = {job.id for job in lifecycle.list_jobs(limit=1000)[0]}

    @seed(20261122 + seed_offset)
    @settings(SEEDED, max_examples=REQUESTS)
    @given(request=requests(operations, known))
    def send(request: dict[str, Any]) -> None:
        try:
            reply = client.request(**request)
        except (InvalidURL, UnicodeError):  # the client itself cannot write it
            return
        statuses[reply.status_code] += 1
        unready = reply.status_code == 503 and reply.json()["code"] == "not_ready"  # there is no broker here
        assert reply.status_code < 500 or unready, (request, reply.text)
        if reply.status_code >= 400 and request["method"] != "HEAD":
            assert_problem(reply, reply.status_code)
        if reply.status_code == 201 and reply.headers["location"].startswith("/jobs/"):
            job_ids.add(reply.headers["location"].removeprefix("/jobs/"))
        if reply.status_code == 204:
            job_ids.discard(str(request["url"]).removeprefix("/jobs/"))

    send()
    print(dict(sorted(statuses.items())))
    assert sum(statuses.values()) > REQUESTS * 0.9
    assert min(statuses[status] for status in (200, 201, 404, 405, 415, 422)) > 2, statuses
    assert {job.id for job in lifecycle.list_jobs(limit=1000)[0]} == job_ids, "a refused request left a job behind"
