"""Rings through a real Redis: their content and number, and a broker that is dead, hung or restarted."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from app.core.names import BROKER_PREFIX, QUEUES
from app.core.settings import get_settings
from app.services import queue
from app.services.broker import MAX_RINGS
from app.services.jobs import lifecycle
from forger.wire import EVALUATE, TRAIN, JobState
from tests.support.jobs import make_job
from tests.support.worker import running_redis


@pytest.fixture
def server(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with running_redis() as process:
        yield process


def queued_messages(kind: str = TRAIN) -> list[bytes]:
    client = Redis(unix_socket_path=str(get_settings().redis_socket))
    messages: list[bytes] = client.lrange(BROKER_PREFIX + QUEUES[kind], 0, -1)  # type: ignore[assignment]
    client.close()
    return messages


def test_ring_is_json_with_only_the_job_id(server: object) -> None:
    assert queue.ring("job_1")
    (message,) = queued_messages()
    envelope = json.loads(message)
    assert envelope["content-type"] == "application/json"
    assert envelope["headers"]["argsrepr"] == "['job_1']"
    assert envelope["headers"]["kwargsrepr"] == "{}"


def test_each_kind_of_job_has_its_own_queue(server: object) -> None:
    queue.ring("job_1", EVALUATE)
    assert queued_messages() == []
    (message,) = queued_messages(EVALUATE)
    assert json.loads(message)["headers"]["task"] == "forger.evaluate"


def test_rings_are_limited_in_number_and_do_not_expire(server: object) -> None:
    """A worker that was busy finds few rings, and a worker whose clock is ahead accepts all of them."""
    for number in range(2 * MAX_RINGS):
        assert queue.ring(f"job_{number}")
    assert len(queued_messages()) == MAX_RINGS
    assert queued_messages(EVALUATE) == []
    headers = json.loads(queued_messages()[0])["headers"]
    assert (headers["expires"], headers["eta"]) == (None, None)


def test_job_is_created_when_the_broker_is_dead(database: Path, server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.wait()
    assert make_job().state == JobState.QUEUED
    assert not queue.ring("job_1")


@pytest.mark.slow
def test_job_is_created_when_the_broker_hangs(database: Path, server: subprocess.Popen[bytes]) -> None:
    assert queue.ring("job_1")
    server.send_signal(signal.SIGSTOP)
    job = make_job()
    assert lifecycle.get(job.id).state == JobState.QUEUED
    server.send_signal(signal.SIGCONT)
    assert queue.ring(job.id)


def test_ring_works_again_after_the_broker_restarts(home: Path, server: subprocess.Popen[bytes]) -> None:
    assert queue.ring("job_1")
    server.kill()
    server.wait()
    assert not queue.ring("job_2")
    with running_redis():
        assert queue.ring("job_3")
