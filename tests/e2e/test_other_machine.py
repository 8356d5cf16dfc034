"""A machine without AVX512 and bf16, which stands for half of those in use: its jobs are as exact as any."""

import json
import sqlite3
from contextlib import closing

from tests.conftest import StartService
from tests.support.kills import finish, kill_runner, post, unbroken
from tests.support.machines import AVX2
from tests.support.watch import Watch

FAMILY = "dcgan"
"""one that is trained in bf16 where the processor has it"""


def test_a_killed_job_ends_with_the_unbroken_runs_bytes(start_service: StartService) -> None:
    service = start_service(**AVX2)
    whole = unbroken(service, FAMILY)
    job_id = post(service, FAMILY)
    watch = Watch(service, job_id)
    watch.until_step(20)
    kill_runner(service, job_id)
    watch.until_next_attempt()
    assert finish(service, job_id, attempts=2) == whole
    with closing(sqlite3.connect(service.home / "forger.db")) as database:
        (stored,) = database.execute("SELECT numerics FROM jobs WHERE id = ?", (job_id,)).fetchone()
    numerics = json.loads(stored)
    assert (numerics["capability"], numerics["precision"]) == ("AVX2", "fp32")
