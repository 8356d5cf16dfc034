"""`forger serve` with PostgreSQL and Redis of somebody else's, given by their URLs."""

import re

from tests.conftest import StartService
from tests.support.broker import redis_on_tcp
from tests.support.postgres import Postgres


def test_urls_switch_a_service_to_other_servers(start_service: StartService, postgres: Postgres) -> None:
    with redis_on_tcp() as broker:
        name = postgres.create()
        service = start_service(DATABASE_URL=postgres.url(name), REDIS_URL=broker)
        assert service.find("redis-server") is None, "no embedded one beside it"
        job_id = service.post(recipe="cdcgan", dataset="digits", budget={"steps": 20})
        service.wait_for(job_id, "succeeded")
        drawn = service.client.get("/sample", params={"class": 7, "seed": 1})
        assert drawn.content.startswith(b"\x89PNG")
        assert re.search(r'forger_jobs\{state="succeeded"\} 1\.0', service.client.get("/metrics").text)
        assert service.stop() == 0
        assert not (service.home / "forger.db").exists()
        postgres.drop(name)
