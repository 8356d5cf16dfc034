"""Kills of a service's processes at random steps of a fixed seed, and checks of the job that survives them."""

import random
from collections.abc import Callable
from typing import Any

from tests.support.service import Service, end
from tests.support.wait import until
from tests.support.watch import Watch
from worker.training.loop import MAX_SAMPLE_SHEETS

STEPS, TAIL = 100, 40
"""the steps of a job, and the last steps in which nothing is killed: a step is reported up to half a second late"""
EVALUATE_EVERY = 5
SMALL = {"checkpoint_every": 5, "report_every": 1}
JOBS: dict[str, dict[str, Any]] = {
    "dcgan": {"dataset": "digits", "overrides": {**SMALL, "batch_size": 128, "watch": None}},
    "wgan_gp": {
        "dataset": "ring8",
        "overrides": {**SMALL, "batch_size": 1024, "watch": {"every": EVALUATE_EVERY, "samples": 32}},
    },
    "cyclegan": {
        "dataset": "day2night",
        "overrides": {**SMALL, "batch_size": 1, "data": {"side": 32}, "watch": None},
    },
}
Kill = Callable[[Service, str], None]


def body_of(family: str) -> dict[str, Any]:
    """Return the request that trains the family's job."""
    return {"recipe": family, "seed": 11, "budget": {"steps": STEPS}, **JOBS[family]}


def post(service: Service, family: str) -> str:
    return service.post(**body_of(family))


def undisturbed_export(service: Service, family: str) -> str:
    """Train the family's job undisturbed; return the sha256 of its export."""
    job = service.wait_for(post(service, family), "succeeded")
    return str(job["result"]["export_sha256"])


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


def random_steps(name: str, count: int) -> list[int]:
    """Draw one step in each of `count` stretches of the job, from the second step to the tail."""
    stride = (STEPS - TAIL - 2) // count
    rng = random.Random(name)
    return [2 + stride * number + rng.randrange(stride) for number in range(count)]


def due(curve: str) -> list[int]:
    """Return the steps at which a curve has its points."""
    if curve.startswith("figure/") or curve == "gauge/critic_accuracy":
        return list(range(EVALUATE_EVERY, STEPS + 1, EVALUATE_EVERY))
    if curve.startswith("sample/"):
        every = -(-STEPS // MAX_SAMPLE_SHEETS)
        return list(range(every, STEPS + 1, every))
    every = 8 if "/r1" in curve else 1  # a lazy penalty is due at every eighth step
    return list(range(1, STEPS + 1, every))


def finish(service: Service, job_id: str, *, attempts: int) -> str:
    """Wait for the job, check its states and curves, and return the sha256 of its export."""
    job = service.wait_for(job_id, "succeeded")
    assert job["attempt"] >= attempts, "a busy machine may lose a lease of two seconds once more"
    states = Watch(service, job_id).states()
    assert states.count("running") == job["attempt"]
    assert states.count("succeeded") == 1
    assert states[-1] == "succeeded"
    for curve in service.client.get(f"/jobs/{job_id}/metrics").json()["data"]:
        steps = [step for step, _ in curve["points"]]
        assert steps == due(curve["name"]), "no step twice, none missing"
    service.stop()
    return str(job["result"]["export_sha256"])
