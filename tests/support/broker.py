"""A Redis server on TCP, as an operator would run one; and Redis servers that refuse writes."""

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
    """Run the server; yield its URL."""
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


def make_redis_refuse_writes(redis: Redis) -> None:
    """Make the server refuse writes, as with a full disk: a folder is in the place of its dump file."""
    folder = get_settings().home / "no-file.rdb"
    folder.mkdir(exist_ok=True)
    redis.config_set("dir", str(folder.parent))
    redis.config_set("dbfilename", folder.name)
    redis.config_set("save", "1000 1")
    redis.bgsave()
    until(lambda: _persistence(redis)["rdb_last_bgsave_status"] == "err")


def let_redis_write(redis: Redis) -> None:
    redis.config_set("save", "")


def _persistence(redis: Redis) -> dict[str, Any]:
    reply: Any = redis.info("persistence")
    info: dict[str, Any] = reply
    return info


def _answers(port: int) -> bool:
    try:
        with Redis(port=port) as client:
            return bool(client.ping())
    except RedisError:
        return False
