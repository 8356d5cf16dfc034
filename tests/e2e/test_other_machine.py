"""A killed job also ends with equal bytes on a machine without AVX512 and bf16."""

import json
import sqlite3
from contextlib import closing
from typing import Any

from tests.conftest import StartService
from tests.support.kills import kill_runner
from tests.support.machines import AVX2
from tests.support.watch import Watch

JOB: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "digits",
    "seed": 11,
    "budget": {"steps": 40},
    "overrides": {"checkpoint_every": 5, "report_every": 1, "batch_size": 32, "watch": None},
}
"""its family is trained in bf16 where the processor supports it"""


def test_killed_job_without_avx512_ends_with_equal_bytes(start_service: StartService) -> None:
    service = start_service(**AVX2)
    undisturbed = service.wait_for(service.post(**JOB), "succeeded")
    job_id = service.post(**JOB)
    watch = Watch(service, job_id)
    watch.until_step(2)
    kill_runner(service, job_id)
    watch.until_next_attempt()
    killed = service.wait_for(job_id, "succeeded")
    assert killed["result"]["export_sha256"] == undisturbed["result"]["export_sha256"]
    with closing(sqlite3.connect(service.home / "forger.db")) as database:
        (stored,) = database.execute("SELECT numerics FROM jobs WHERE id = ?", (job_id,)).fetchone()
    numerics = json.loads(stored)
    assert (numerics["capability"], numerics["precision"]) == ("AVX2", "fp32")
