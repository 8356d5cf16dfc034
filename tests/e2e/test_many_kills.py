"""A hundred jobs of every kind, each killed at a random time, leave the bytes of an undisturbed run.

Each case kills one job once, with SIGKILL, at a time drawn by its seed between the start of its runner and the end of
an undisturbed run: while torch is imported, during a step, while files are written, while the result is recorded.
"""

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import StartService
from tests.support.exports import publish_slow
from tests.support.kills import JOBS, Kill, body_of, kill_service, kill_worker
from tests.support.service import TERMINAL, Service, end
from tests.support.settings import new_home
from tests.support.wait import until

SEEDS = 25
BODIES: dict[str, list[dict[str, Any]]] = {
    "train": [body_of(family) for family in JOBS],
    "evaluate": [{"kind": "evaluate", "model": "slow-cdcgan", "n": 500, "seed": 3}],
    "generate": [{"kind": "generate", "model": "slow-cdcgan", "n": 1000, "seed": 5, "shard": 100}],
    "translate": [{"kind": "translate", "model": "slow-pix2pix", "dataset": "digits", "format": "npz", "shard": 200}],
}
"""the requests of each kind"""
RunUndisturbed = Callable[[str, int], tuple[object, float]]


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """Serve slow, untrained models."""
    home = tmp_path_factory.mktemp("kills")
    with new_home(home):
        publish_slow()
        publish_slow("pix2pix", width=64)
    return start_service(home)


@pytest.fixture(scope="module")
def run_undisturbed(service: Service) -> RunUndisturbed:
    """Run each request once without a kill. Return its outcome, and the seconds from its runner's start to its end."""

    @functools.cache
    def run(kind: str, number: int) -> tuple[object, float]:
        job_id = service.post(**BODIES[kind][number])
        assert until(lambda: service.runner(job_id))
        started = time.monotonic()
        done = service.wait_for(job_id, "succeeded")
        return outcome(service, done), time.monotonic() - started

    return run


def run_and_kill(service: Service, body: dict[str, Any], kill: Kill, delay_s: float) -> dict[str, Any]:
    """Kill `delay_s` after the start of the job's runner. Return the job once it has succeeded."""
    job_id = service.post(**body)
    until(lambda: service.runner(job_id) or service.job(job_id)["state"] in TERMINAL)
    time.sleep(delay_s)
    kill(service, job_id)
    return service.wait_for(job_id, "succeeded")


def kill_runner(service: Service, job_id: str) -> None:
    """Kill the runner, unless the job has ended meanwhile."""
    if runner := service.runner(job_id):
        end(runner)


def outcome(service: Service, job: dict[str, Any]) -> object:
    """Return the job's files by their sha256, its curves and its figures."""
    files = service.client.get(f"/jobs/{job['id']}/artifacts").json()["data"]
    assert files
    curves = service.client.get(f"/jobs/{job['id']}/metrics").json()["data"]
    return (
        sorted((file["kind"], file["name"], file["step"], file["sha256"]) for file in files),
        curves,
        job["result"]["figures"],
        job["result"]["export_sha256"],
    )


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("kind", BODIES)
def test_killed_job_leaves_the_bytes_of_an_undisturbed_run(
    service: Service, run_undisturbed: RunUndisturbed, kind: str, seed: int
) -> None:
    number = seed % len(BODIES[kind])
    expected, seconds = run_undisturbed(kind, number)
    rng = random.Random(f"{kind}/{seed}")
    kill = rng.choice([kill_runner, kill_worker, kill_service])
    delay_s = rng.random() * seconds
    while (killed := run_and_kill(service, BODIES[kind][number], kill, delay_s))["attempt"] == 1:
        delay_s /= 2  # the job had ended before the kill
    assert outcome(service, killed) == expected
