"""`forger serve` with an external PostgreSQL and Redis, given by their URLs."""

import re

from tests.conftest import StartService
from tests.support.broker import redis_on_tcp
from tests.support.postgres import Postgres


def test_service_uses_the_servers_of_its_urls(start_service: StartService, postgres: Postgres) -> None:
    with redis_on_tcp() as broker:
        name = postgres.create()
        service = start_service(DATABASE_URL=postgres.url(name), REDIS_URL=broker)
        assert service.find("redis-server") is None, "no embedded Redis runs"
        job_id = service.post(recipe="cdcgan", dataset="digits", budget={"steps": 20})
        service.wait_for(job_id, "succeeded")
        sample = service.client.get("/sample", params={"class": 7, "seed": 1})
        assert sample.content.startswith(b"\x89PNG")
        assert re.search(r'forger_jobs\{state="succeeded"\} 1\.0', service.client.get("/metrics").text)
        assert service.stop() == 0
        assert not (service.home / "forger.db").exists()
        postgres.drop(name)
