"""A job whose processes are killed exports the bytes of an undisturbed run.

Each family trains a tiny job; runner, worker and the whole service are killed with SIGKILL at random steps of a
fixed seed. The undisturbed run is an earlier job of the same service.
"""

import pytest
from redis import Redis

from tests.conftest import StartService
from tests.support.kills import (
    JOBS,
    Kill,
    finish,
    kill_runner,
    kill_service,
    kill_worker,
    post,
    random_steps,
    undisturbed_export,
)
from tests.support.service import Service, end
from tests.support.wait import until
from tests.support.watch import Watch

KILLS = 2


def wipe_broker(service: Service, job_id: str) -> None:
    with Redis(unix_socket_path=str(service.redis_socket)) as client:
        client.flushall()


def kill_broker(service: Service, job_id: str) -> None:
    broker = until(lambda: service.find("redis-server"))
    assert broker is not None
    end(broker)


def kill_api(service: Service, job_id: str) -> None:
    api = until(lambda: service.find("uvicorn"))
    assert api is not None
    end(api)
    until(lambda: not api.is_running())
    until(service.ready)


def pause_and_resume(service: Service, job_id: str) -> None:
    assert service.client.post(f"/jobs/{job_id}/pause").status_code == 200
    service.wait_for(job_id, "paused")
    assert service.client.post(f"/jobs/{job_id}/resume").status_code == 200


def pause_wipe_and_resume(service: Service, job_id: str) -> None:
    """Lose the ring of the resume, with everything else in the broker."""
    pause_and_resume(service, job_id)
    wipe_broker(service, job_id)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", JOBS)
@pytest.mark.parametrize("kill", [kill_runner, kill_worker, kill_service])
def test_killed_job_ends_with_the_bytes_of_an_undisturbed_run(
    start_service: StartService, kill: Kill, family: str
) -> None:
    service = start_service()
    expected = undisturbed_export(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    for step in random_steps(f"{family}/{kill.__name__}", KILLS):
        watch.until_step(step)
        kill(service, job_id)
        watch.until_next_attempt()
    assert finish(service, job_id, attempts=KILLS + 1) == expected


@pytest.mark.sampled(1)
@pytest.mark.parametrize("family", JOBS)
def test_job_survives_pauses_a_wiped_broker_and_dead_servers(start_service: StartService, family: str) -> None:
    service = start_service(FORGER_RING_INTERVAL_S="1")
    expected = undisturbed_export(service, family)
    job_id = post(service, family)
    watch = Watch(service, job_id)
    watch.until_step(3)
    for disturb in (wipe_broker, pause_and_resume, kill_broker, pause_wipe_and_resume):
        disturb(service, job_id)
        watch.until_step((watch.step or 0) + 2)
    kill_api(service, job_id)
    assert finish(service, job_id, attempts=3) == expected
