"""An API whose pictures are drawn by an inference worker, with a real Redis between the two."""

import contextlib
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from redis import Redis
from starlette.testclient import TestClient

from app.core.settings import Settings, get_settings
from app.main import create_app
from app.services.inference import redis_codec
from tests.support.wait import until
from tests.support.worker import Process

MANY_POINTS = 100_000
"""points that no worker draws before a test has looked at the request"""


def remote_settings(**settings: Any) -> Settings:
    return get_settings().model_copy(update={"inference": "workers", "max_samples": MANY_POINTS, **settings})


@contextlib.contextmanager
def api(settings: Settings) -> Iterator[TestClient]:
    """Run an API in this process; yield its client."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    """Connect to the test's Redis."""
    with redis_codec.connect(get_settings(), retries=1) as client:
        yield client


def wipe() -> None:
    """Delete everything in Redis."""
    with redis() as broker:
        broker.flushall()


def reply_list(broker: Redis) -> str:
    """Return the name of the list from which the API takes replies."""
    with broker.monitor() as monitor:
        command = next(entry["command"] for entry in monitor.listen() if entry["command"].startswith("BLPOP"))
    return str(command.split()[1])


def marks() -> list[bytes]:
    """Return the keys that mark requests in flight."""
    with redis() as broker:
        return list(broker.scan_iter(redis_codec.mark_key("*")))


def wait_until_taken(n: int) -> None:
    """Wait until n requests are with the worker's engine: their marks are empty then."""
    with redis() as broker:
        until(lambda: sum(broker.get(key) == b"" for key in broker.scan_iter(redis_codec.mark_key("*"))) == n)


@contextlib.contextmanager
def sample_request(client: TestClient, n: int) -> Iterator[Future[Any]]:
    """Request n points while the block runs; yield the future reply."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(client.get, f"/sample?model=ring&n={n}&format=npy")


@contextlib.contextmanager
def disconnecting_client(port: int, request: bytes) -> Iterator[None]:
    """Send the request, and disconnect at the end of the block without reading a reply."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request)
        yield


@contextlib.contextmanager
def paused(worker: Process) -> Iterator[None]:
    """Stop the worker's process during the block."""
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)
