"""The doorbell on a real Redis: alive, wiped, dead and hung."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from app.core.names import BROKER_PREFIX, QUEUES
from app.core.settings import get_settings
from app.embedded import redis as embedded
from app.services import queue
from app.services.broker import MAX_RINGS
from app.services.jobs import lifecycle
from forger.wire import EVALUATE, TRAIN, JobState
from tests.support.jobs import make_job
from tests.support.wait import until


@pytest.fixture
def server(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    socket = get_settings().redis_socket
    process = subprocess.Popen(embedded.command(socket), stdout=subprocess.DEVNULL)
    until(lambda: embedded.answers(socket))
    yield process
    process.kill()
    process.wait()


def waiting(kind: str = TRAIN) -> list[bytes]:
    client = Redis(unix_socket_path=str(get_settings().redis_socket))
    found: list[bytes] = client.lrange(BROKER_PREFIX + QUEUES[kind], 0, -1)  # type: ignore[assignment]
    client.close()
    return found


def test_a_message_is_json_and_carries_the_job_id_alone(server: object) -> None:
    assert queue.ring("job_1")
    (message,) = waiting()
    envelope = json.loads(message)
    assert envelope["content-type"] == "application/json"
    assert envelope["headers"]["argsrepr"] == "['job_1']"
    assert envelope["headers"]["kwargsrepr"] == "{}"


def test_each_kind_of_job_is_rung_in_its_own_queue(server: object) -> None:
    queue.ring("job_1", EVALUATE)
    assert waiting() == []
    (message,) = waiting(EVALUATE)
    assert json.loads(message)["headers"]["task"] == "forger.evaluate"


def test_rings_neither_heap_nor_expire(server: object) -> None:
    """A worker that was busy finds few of them, and one whose clock is ahead takes them all."""
    for number in range(2 * MAX_RINGS):
        assert queue.ring(f"job_{number}")
    assert len(waiting()) == MAX_RINGS
    assert waiting(EVALUATE) == []
    headers = json.loads(waiting()[0])["headers"]
    assert (headers["expires"], headers["eta"]) == (None, None)


def test_a_dead_broker_costs_a_warning_and_not_the_job(database: Path, server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.wait()
    assert make_job().state == JobState.QUEUED
    assert not queue.ring("job_1")


@pytest.mark.slow
def test_a_hung_broker_is_given_up(database: Path, server: subprocess.Popen[bytes]) -> None:
    assert queue.ring("job_1")
    server.send_signal(signal.SIGSTOP)
    job = make_job()
    assert lifecycle.get(job.id).state == JobState.QUEUED
    server.send_signal(signal.SIGCONT)
    assert queue.ring(job.id)


def test_a_broker_that_comes_back_is_rung_again(home: Path, server: subprocess.Popen[bytes]) -> None:
    assert queue.ring("job_1")
    server.kill()
    server.wait()
    assert not queue.ring("job_2")
    socket = get_settings().redis_socket
    again = subprocess.Popen(embedded.command(socket), stdout=subprocess.DEVNULL)
    try:
        until(lambda: embedded.answers(socket))
        assert queue.ring("job_3")
    finally:
        again.kill()
        again.wait()
