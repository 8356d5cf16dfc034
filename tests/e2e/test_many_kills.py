"""A hundred seeded kills over every kind of job: what is left is the unbroken run's, byte for byte.

Each case kills one job once, with SIGKILL, at a random moment between the start of its runner and the unbroken run's
end: while torch is imported, at a step, while files are written, while the result is recorded.
"""

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from tests.conftest import StartService
from tests.support.exports import publish_slow
from tests.support.kills import JOBS, STEPS, kill_service
from tests.support.service import TERMINAL, Service, end
from tests.support.settings import own_settings
from tests.support.wait import until

SEEDS = 25
BODIES: dict[str, list[dict[str, Any]]] = {
    "train": [{"recipe": family, "seed": 11, "budget": {"steps": STEPS}, **job} for family, job in JOBS.items()],
    "evaluate": [{"kind": "evaluate", "model": "slow-cdcgan", "n": 500, "seed": 3}],
    "generate": [{"kind": "generate", "model": "slow-cdcgan", "n": 1000, "seed": 5, "shard": 100}],
    "translate": [{"kind": "translate", "model": "slow-pix2pix", "dataset": "digits", "format": "npz", "shard": 200}],
}
Unbroken = Callable[[str, int], tuple[object, float]]


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """With slow models that have learned nothing."""
    home = tmp_path_factory.mktemp("kills")
    with own_settings(home):
        migrate.upgrade()
        publish_slow()
        publish_slow("pix2pix", width=64)
        engine(get_settings().database_url).dispose()
    return start_service(home)


@pytest.fixture(scope="module")
def unbroken(service: Service) -> Unbroken:
    """What an undisturbed job leaves, and the seconds that its runner lived; once for each body."""

    @functools.cache
    def run(kind: str, number: int) -> tuple[object, float]:
        job_id = service.post(**BODIES[kind][number])
        assert until(lambda: service.runner(job_id))
        began = time.monotonic()
        done = service.wait_for(job_id, "succeeded")
        return left(service, done), time.monotonic() - began

    return run


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("kind", BODIES)
def test_a_killed_job_leaves_what_the_unbroken_one_leaves(
    service: Service, unbroken: Unbroken, kind: str, seed: int
) -> None:
    number = seed % len(BODIES[kind])
    whole, lived_s = unbroken(kind, number)
    draw = random.Random(f"{kind}/{seed}")
    blow = draw.choice([kill_runner, kill_worker, kill_service])
    moment_s = draw.random() * lived_s
    while (killed := run_and_kill(service, BODIES[kind][number], blow, moment_s))["attempt"] == 1:
        moment_s /= 2  # it had ended before the blow
    assert left(service, killed) == whole


def run_and_kill(
    service: Service, body: dict[str, Any], blow: Callable[[Service, str], None], moment_s: float
) -> dict[str, Any]:
    """The job once it has succeeded. The blow comes that long after the start of its runner."""
    job_id = service.post(**body)
    until(lambda: service.runner(job_id) or service.job(job_id)["state"] in TERMINAL)
    time.sleep(moment_s)
    blow(service, job_id)
    return service.wait_for(job_id, "succeeded")


def kill_runner(service: Service, job_id: str) -> None:
    if runner := service.runner(job_id):
        end(runner)


def kill_worker(service: Service, job_id: str) -> None:
    """While the job runs: a worker without one is no matter of this test."""
    worker = service.worker()
    if worker and service.job(job_id)["state"] not in TERMINAL:
        end(worker)


def left(service: Service, job: dict[str, Any]) -> object:
    """All that a job leaves and that does not tell of its own life: files, curves and figures."""
    files = service.client.get(f"/jobs/{job['id']}/artifacts").json()["data"]
    curves = service.client.get(f"/jobs/{job['id']}/metrics").json()["data"]
    figures = job["result"].get("figures")
    return (
        sorted((file["kind"], file["name"], file["step"], file["sha256"]) for file in files),
        curves,
        figures,
        job["result"].get("export_sha256"),
    )
