"""A Redis server over TCP, as one that somebody else runs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.core.sandbox.private import die_with_parent
from app.core.settings import get_settings
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
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, preexec_fn=lambda: die_with_parent(parent))
    try:
        until(lambda: _answers(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def cannot_save(redis: Redis) -> None:
    """Make the server refuse writes, as where its disk is full: a folder stands where it would save."""
    folder = get_settings().home / "no-file.rdb"
    folder.mkdir(exist_ok=True)
    redis.config_set("dir", str(folder.parent))
    redis.config_set("dbfilename", folder.name)
    redis.config_set("save", "1000 1")
    redis.bgsave()
    until(lambda: _persistence(redis)["rdb_last_bgsave_status"] == "err")


def saves_again(redis: Redis) -> None:
    redis.config_set("save", "")


def _persistence(redis: Redis) -> dict[str, Any]:
    said: Any = redis.info("persistence")
    found: dict[str, Any] = said
    return found


def _answers(port: int) -> bool:
    try:
        with Redis(port=port) as client:
            return bool(client.ping())
    except RedisError:
        return False
