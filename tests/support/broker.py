"""A Redis server over TCP, as one that somebody else runs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.embedded.processes import die_with
from app.embedded.redis import find_server
from tests.support.ports import free_port
from tests.support.wait import until


@contextmanager
def redis_on_tcp() -> Iterator[str]:
    """Its URL."""
    server = find_server()
    if server is None:
        pytest.skip("No Redis server is installed here.")
    port, parent = free_port(), os.getpid()
    command = [str(server), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: die_with(parent))
    try:
        until(lambda: _answers(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        with Redis(port=port) as client:
            return bool(client.ping())
    except RedisError:
        return False
