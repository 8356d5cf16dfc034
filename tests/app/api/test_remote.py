"""FORGER_INFERENCE=workers: an API whose pictures an inference worker makes, with a real Redis between them."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
import uvicorn
from PIL import Image
from redis import Redis
from starlette.testclient import TestClient

from app.core.settings import Settings, get_settings
from app.main import create_app
from app.services.inference import redis_codec
from tests.app.api.conftest import Publish
from tests.support.broker import let_redis_write, make_redis_refuse_writes
from tests.support.wait import until
from tests.support.worker import Process, running_redis, running_worker, worker_log
from tests.support.zips import noise, saved

LONG = 100_000
"""points that no worker makes before somebody looks"""
ROOM = str(10 * LONG)
SAMPLES = (
    "model=digits&n=3&seed=1",
    "model=digits&class=7&n=40&seed=2&temperature=0.5",
    "model=digits&class=each&seed=3&format=npy",
    "model=ring&n=50&seed=4&format=json",
    "model=ring&n=3&seed=5",
    "model=words&n=20&seed=6&format=txt",
)

pytestmark = pytest.mark.processes


def get(address: str) -> bytes:
    return f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.fixture(scope="module")
def backend() -> str:
    """What is tested here asks the database for versions alone."""
    return "sqlite"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1})
    publish("gumbel_gan", "dyck", name="words")
    publish("gan", "ring8", name="ring")
    publish("cdcgan", "digits", name="digits")


@pytest.fixture
def broker(models: None) -> Iterator[None]:
    with running_redis():
        yield


@pytest.fixture
def worker(broker: None) -> Iterator[Process]:
    with running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES=ROOM) as process:
        yield process


def remote(**settings: Any) -> Settings:
    return get_settings().model_copy(update={"inference": "workers", "max_samples": LONG, **settings})


@contextlib.contextmanager
def api(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@contextlib.contextmanager
def redis() -> Iterator[Redis]:
    with redis_codec.connect(get_settings(), retries=1) as client:
        yield client


def translate(client: TestClient, width: int, height: int, **fields: str) -> Any:
    files = {"file": ("a.png", saved(noise(width, height, 1)))}
    return client.post("/translate", files=files, data={"model": "night", **fields})


def test_the_same_bytes_come_back_as_from_an_engine_beside_the_api(worker: Process, client: TestClient) -> None:
    with api(remote()) as far:
        for query in SAMPLES:
            here, there = client.get(f"/sample?{query}"), far.get(f"/sample?{query}")
            assert (here.status_code, there.status_code) == (200, 200), there.text
            assert here.content == there.content
        for size in ((40, 24), (800, 700)):
            here, there = (translate(api_, *size, direction="b2a") for api_ in (client, far))
            assert (here.status_code, there.status_code) == (200, 200), there.text
            assert here.content == there.content
        with ThreadPoolExecutor(32) as crowd:
            replies = list(crowd.map(lambda seed: far.get(f"/sample?model=digits&class=1&seed={seed % 4}"), range(128)))
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 4
        with redis() as broker:
            until(lambda: not [key for key in broker.scan_iter("forger:*") if b"asked" in key or b"answers" in key])
        assert far.get("/readyz").json()["checks"]["engine"]["ok"]
    worker.terminate()
    assert worker.wait(30) == 0


def test_overload_is_told_by_the_api_and_by_the_worker(broker: None) -> None:
    with running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES="1"), api(remote()) as far:
        with ThreadPoolExecutor(4) as crowd:
            replies = list(crowd.map(lambda seed: far.get(f"/sample?model=ring&n=4000&seed={seed}"), range(8)))
        assert {reply.status_code for reply in replies} == {200, 429}
        refused = [reply for reply in replies if reply.status_code == 429]
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        with api(remote(queue_pictures=1)) as narrow, asked(narrow, LONG) as long:
            taken(1)
            full = narrow.get("/sample?model=ring")
            assert (full.status_code, full.json()["code"]) == (429, "busy")
            unread = narrow.post("/translate", files={"file": ("a.png", b"no picture")}, data={"model": "night"})
            assert (unread.status_code, unread.json()["code"]) == (429, "busy")
            wipe()
            assert long.result().status_code == 503


def test_a_wiped_broker_costs_the_requests_in_flight_a_503(worker: Process) -> None:
    with api(remote()) as far, api(remote(deadline_s=2.0)) as hasty:
        assert far.get("/sample?model=ring").status_code == 200
        with asked(far, LONG) as made:
            taken(1)
            wipe()
            refusal(made.result(), "engine_away")
        assert far.get("/sample?model=ring").status_code == 200
        with paused(worker), asked(hasty, 1) as lost:
            until(lambda: marks())
            wipe()
            refusal(lost.result(), "no_answer")
        assert far.get("/sample?model=ring").status_code == 200


def test_a_broker_that_dies_costs_no_more(models: None) -> None:
    with (
        api(remote()) as far,
        running_redis() as server,
        running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES=ROOM),
    ):
        assert far.get("/sample?model=ring").status_code == 200
        with asked(far, LONG) as made:
            taken(1)
            server.kill()
            refusal(made.result(), "broker_away")
        refusal(far.get("/sample?model=ring"), "broker_away")
        server.wait()
        with running_redis():
            assert far.get("/sample?model=ring").status_code == 200


def test_answers_that_cannot_be_read_are_skipped(worker: Process) -> None:
    with api(remote()) as far, redis() as broker:
        assert far.get("/sample?model=ring&seed=1").status_code == 200
        broker.rpush(inbox(broker), b"", b"\xff\n", b"7\n", b"{}\n", b"[" * 100_000 + b"\n", b'{"id": [1]}\n')
        assert far.get("/sample?model=ring&seed=2").status_code == 200


def test_a_broker_that_refuses_is_told_and_asked_again(worker: Process) -> None:
    with api(remote()) as far, redis() as broker:
        assert far.get("/sample?model=ring").status_code == 200
        make_redis_refuse_writes(broker)
        full = far.get("/sample?model=ring")
        assert (full.status_code, full.json()["code"]) == (507, "no_room")
        let_redis_write(broker)
        assert until(lambda: far.get("/sample?model=ring").status_code == 200)
        broker.config_set("maxmemory", 1)
        refusal(far.get("/sample?model=ring"), "broker_away")
        broker.config_set("maxmemory", 0)
        assert until(lambda: far.get("/sample?model=ring").status_code == 200)


def test_without_a_worker_the_deadline_holds(broker: None) -> None:
    with api(remote(deadline_s=1.0)) as far:
        refusal(far.get("/sample?model=ring"), "no_answer")
        until(lambda: not marks())


def test_a_client_that_hangs_up_takes_its_request_along(worker: Process) -> None:
    def withdrawn() -> int:
        return worker_log().read_text().count("requests_cancelled")

    before = withdrawn()  # the log is that of all workers of this module
    with serving(remote()) as port:
        with hung_up_after(port, get(f"/sample?model=ring&n={LONG}&format=npy")):
            taken(1)
        until(lambda: withdrawn() > before)
        with paused(worker):
            with hung_up_after(port, get("/sample?model=ring")):
                until(lambda: marks())
            until(lambda: not marks())


def upload() -> bytes:
    """A request for a translation of many tiles."""
    picture = saved(Image.new("RGB", (3000, 3000), "navy"))
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + picture + b"\r\n--x--\r\n"
    headers = f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    return b"POST /translate HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers.encode() + body


@pytest.mark.parametrize("request_", [get(f"/sample?model=ring&n={LONG}&format=npy"), upload()], ids=["get", "post"])
def test_a_client_that_hangs_up_frees_the_engine_beside_the_api(models: None, request_: bytes) -> None:
    settings = get_settings().model_copy(update={"max_samples": LONG, "max_pixels": 10_000_000})
    app = create_app(settings)
    with serving(settings, app) as port:
        load = app.state.inference.load
        with hung_up_after(port, request_):
            until(lambda: (load() or (0,))[0])
        until(lambda: load()[0] == 0)
        assert sum(n * turns for n, turns in enumerate(load()[1])) < LONG
        until(lambda: b'status="499"' in app.state.metrics.text())


def inbox(broker: Redis) -> str:
    """The list that an API takes its answers from."""
    with broker.monitor() as monitor:
        waits = next(said["command"] for said in monitor.listen() if said["command"].startswith("BLPOP"))
    return str(waits.split()[1])


def refusal(reply: Any, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (503, code), reply.text
    assert int(reply.headers["retry-after"]) >= 1


@contextlib.contextmanager
def asked(client: TestClient, n: int) -> Iterator[Future[Any]]:
    """The reply to come, beside what the block does."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(client.get, f"/sample?model=ring&n={n}&format=npy")


@contextlib.contextmanager
def serving(settings: Settings, app: Any = None) -> Iterator[int]:
    """A real server in a thread of this process; its port."""
    server = uvicorn.Server(uvicorn.Config(app or create_app(settings), port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until(lambda: server.started)
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def hung_up_after(port: int, request_: bytes) -> Iterator[None]:
    """Asks, and leaves at the end of the block without an answer."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request_)
        yield


@contextlib.contextmanager
def paused(worker: Process) -> Iterator[None]:
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


def marks() -> list[bytes]:
    with redis() as broker:
        return list(broker.scan_iter(redis_codec.mark_key("*")))


def taken(n: int) -> None:
    """Waits until so many requests are with the worker's engine: their marks are empty then."""
    with redis() as broker:
        until(lambda: sum(broker.get(key) == b"" for key in broker.scan_iter(redis_codec.mark_key("*"))) == n)


def wipe() -> None:
    with redis() as broker:
        broker.flushall()
