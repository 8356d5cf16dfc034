"""Kill anything, any number of times: the export is the unbroken run's, byte for byte.

Each family trains a tiny job; runner, worker and the whole service are killed with SIGKILL at random steps of a
fixed seed. The unbroken run happens in another service, under other ids.
"""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis import Redis

from tests.conftest import StartService
from tests.support.service import Service, end
from tests.support.wait import until
from tests.support.watch import Watch

STEPS, KILLS, STRIDE = 40, 5, 7
SMALL = {"checkpoint_every": 5, "report_every": 1}
JOBS: dict[str, dict[str, Any]] = {
    "dcgan": {"dataset": "digits", "overrides": {**SMALL, "batch_size": 64}},
    "wgan_gp": {
        "dataset": "digits",
        "overrides": {**SMALL, "batch_size": 16, "generator": {"width": 16}, "critic": {"width": 16}},
    },
    "cyclegan": {"dataset": "day2night", "overrides": {**SMALL, "batch_size": 1, "data": {"side": 32}}},
}
Blow = Callable[[Service, str], None]


def post(service: Service, family: str) -> str:
    return service.post(recipe=family, seed=11, budget={"steps": STEPS}, **JOBS[family])


def kill_runner(service: Service, job_id: str) -> None:
    runner = until(lambda: service.runner(job_id))
    assert runner is not None
    end(runner)


def kill_worker(service: Service, job_id: str) -> None:
    worker = until(service.worker)
    assert worker is not None
    end(worker)


def kill_service(service: Service, job_id: str) -> None:
    service.kill()
    service.start()


def random_steps(family: str, blow: Blow) -> list[int]:
    """One step in each stretch of the job, from the second on."""
    draw = random.Random(f"{family}/{blow.__name__}")
    return [2 + STRIDE * number + draw.randrange(STRIDE) for number in range(KILLS)]


@pytest.fixture(scope="module")
def unbroken(start_service: StartService) -> dict[str, str]:
    """sha256 of each family's export, from a service where nothing happens."""
    service = start_service()
    ids = {family: post(service, family) for family in JOBS}
    sums = {family: service.wait_for(job_id, "succeeded")["result"]["export_sha256"] for family, job_id in ids.items()}
    service.stop()
    return sums


def in_parallel(each: Callable[[str], str]) -> dict[str, str]:
    """Every family in a service of its own, at the same time: most of a kill test is waiting."""
    with ThreadPoolExecutor(len(JOBS)) as pool:
        return dict(zip(JOBS, pool.map(each, JOBS), strict=True))


@pytest.mark.parametrize("blow", [kill_runner, kill_worker, kill_service])
def test_a_killed_job_ends_with_the_unbroken_runs_bytes(
    start_service: StartService, unbroken: dict[str, str], blow: Blow
) -> None:
    def train(family: str) -> str:
        service = start_service()
        job_id = post(service, family)
        watch = Watch(service, job_id)
        for step in random_steps(family, blow):
            watch.until_step(step)
            blow(service, job_id)
            watch.until_next_attempt()
        return finish(service, job_id, attempts=KILLS + 1)

    assert in_parallel(train) == unbroken


def test_pauses_a_wiped_broker_and_dead_servers_change_nothing(
    start_service: StartService, unbroken: dict[str, str]
) -> None:
    def train(family: str) -> str:
        service = start_service(FORGER_RING_INTERVAL_S="1")
        job_id = post(service, family)
        watch = Watch(service, job_id)
        watch.until_step(3)
        for disturb in (wipe_broker, pause_and_resume, kill_broker, pause_and_resume, pause_wipe_and_resume):
            disturb(service, job_id)
            watch.until_step((watch.step or 0) + 2)
        kill_api(service, job_id)
        return finish(service, job_id, attempts=4)

    assert in_parallel(train) == unbroken


def finish(service: Service, job_id: str, *, attempts: int) -> str:
    """The export's sha256, after a look at what the job has recorded."""
    job = service.wait_for(job_id, "succeeded")
    assert job["attempt"] >= attempts, "a starved machine may lose a lease of two seconds once more"
    states = Watch(service, job_id).states()
    assert states.count("running") == job["attempt"]
    assert states.count("succeeded") == 1
    assert states[-1] == "succeeded"
    for curve in service.client.get(f"/jobs/{job_id}/metrics").json()["data"]:
        every = 8 if "/r1" in curve["name"] else 1  # a lazy penalty is due at every eighth step
        assert [step for step, _ in curve["points"]] == list(range(1, STEPS + 1, every)), "no step twice, none missing"
    service.stop()
    return str(job["result"]["export_sha256"])


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
    """The ring of the resume is lost with everything else in the broker."""
    pause_and_resume(service, job_id)
    wipe_broker(service, job_id)
