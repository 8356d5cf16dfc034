"""FORGER_INFERENCE=workers: an inference worker draws the pictures of an API, with a real Redis between the two."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from tests.app.api.conftest import Publish
from tests.app.api.test_inpaint_and_upscale import mask_of
from tests.support.broker import let_redis_write, make_redis_refuse_writes
from tests.support.inference_workers import (
    MANY_POINTS,
    api,
    disconnecting_client,
    marks,
    paused,
    redis,
    remote_settings,
    reply_list,
    sample_request,
    wait_until_taken,
    wipe,
)
from tests.support.server import serving
from tests.support.trained_models import publish_trained
from tests.support.wait import until
from tests.support.worker import Process, running_redis, running_worker, worker_log
from tests.support.zips import noise, saved

QUEUE_PICTURES = str(10 * MANY_POINTS)
SAMPLES = (
    "model=digits&n=3&seed=1",
    "model=digits&class=7&n=40&seed=2&temperature=0.5",
    "model=digits&class=each&seed=3&format=npy",
    "model=ring&n=50&seed=4&format=json",
    "model=digits&n=3&seed=1&truncation=0.5",
    "model=digits&n=3&seed=1&truncation=0.5&temperature=0.9&format=json&latents=true",
    "model=ring&n=3&seed=5",
    "model=words&n=20&seed=6&format=txt",
)
LATENTS: tuple[dict[str, Any], ...] = (
    {"model": "ring", "latents": [[0.25, -3.5], [1, 2]], "format": "json"},
    {"model": "digits", "latents": [[0.1] * 64, [-0.7] * 64], "class": "7"},
    {"model": "digits", "latents": [[0.1] * 64], "class_weights": [[0.3, 0.7, *[0] * 8]], "format": "npy"},
)

pytestmark = pytest.mark.processes


def get_request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests read nothing but model versions from it."""
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
    with running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES=QUEUE_PICTURES) as process:
        yield process


def assert_same_pictures(local: Any, remote: Any) -> None:
    assert (local.status_code, remote.status_code) == (200, 200), remote.text
    assert local.content == remote.content


def translate(client: TestClient, width: int, height: int, **fields: str) -> Any:
    files = {"file": ("a.png", saved(noise(width, height, 1)))}
    return client.post("/translate", files=files, data={"model": "night", **fields})


def search(client: TestClient, path: str, model: str, **fields: str) -> Any:
    """Return the reply of a short search for a latent, with a mask if the path is /inpaint."""
    files = {"file": saved(noise(20, 20, 1))}
    if path == "/inpaint":
        files["mask"] = saved(mask_of(20, 20))
    form = {"model": model, "steps": "30", "restarts": "2", **fields}
    return client.post(path, files=files, data=form, headers={"Accept": "application/json"})


def features(client: TestClient, model: str) -> Any:
    files = [("file", saved(noise(20, 20, 1))), ("file", saved(noise(30, 20)))]
    return client.post("/features", files=files, data={"model": model})


def find_direction(client: TestClient, name: str) -> Any:
    """Return a direction without labels that is kept under the name."""
    reply = client.post("/models/digits@1/directions", json={"name": name, "kind": "principal", "n": 1, "seed": 3})
    assert reply.status_code == 201, reply.text
    return reply.json()["data"][0]["vector"]


def test_inference_worker_returns_the_same_bytes_as_the_engine_in_the_api(worker: Process, client: TestClient) -> None:
    with api(remote_settings()) as remote:
        for query in SAMPLES:
            assert_same_pictures(client.get(f"/sample?{query}"), remote.get(f"/sample?{query}"))
        for sent in LATENTS:
            assert_same_pictures(*(each.post("/sample", json=sent) for each in (client, remote)))
        for path in ("/invert", "/inpaint"):
            assert_same_pictures(*(search(each, path, "digits", **{"class": "7"}) for each in (client, remote)))
        vectors = [find_direction(each, name) for each, name in ((client, "here"), (remote, "there"))]
        assert vectors[0] == vectors[1]
        for size in ((40, 24), (800, 700)):
            assert_same_pictures(*(translate(each, *size, direction="b2a") for each in (client, remote)))
        with ThreadPoolExecutor(32) as crowd:
            replies = list(
                crowd.map(lambda seed: remote.get(f"/sample?model=digits&class=1&seed={seed % 4}"), range(128))
            )
        assert {reply.status_code for reply in replies} == {200}
        assert len({reply.content for reply in replies}) == 4
        with redis() as broker:
            until(lambda: not [key for key in broker.scan_iter("forger:*") if b"asked" in key or b"answers" in key])
        assert remote.get("/readyz").json()["checks"]["engine"]["ok"]
    worker.terminate()
    assert worker.wait(30) == 0


def test_inference_worker_searches_and_computes_features_with_critics_and_encoders(
    worker: Process, client: TestClient
) -> None:
    publish_trained("cdcgan", "digits", "trained-cdcgan", 2, watch=None)
    publish_trained("vae", "digits", "trained-vae", 2, watch=None)
    _, job = publish_trained("cdcgan", "digits", "damaged", 2, watch=None)
    (checkpoint,) = get_settings().checkpoints(job).glob("step-*.pt")
    checkpoint.write_bytes(b"no")
    with api(remote_settings()) as remote:
        for model in ("trained-cdcgan", "trained-vae"):
            assert_same_pictures(*(features(each, model) for each in (client, remote)))
            for path in ("/invert", "/inpaint"):
                replies = [search(each, path, model, feature_weight="1") for each in (client, remote)]
                assert_same_pictures(*replies)
        for reply in (features(remote, "damaged"), search(remote, "/invert", "damaged", feature_weight="1")):
            assert (reply.status_code, reply.json()["code"]) == (409, "critic_gone"), reply.text


def test_overload_is_refused_with_429_by_the_api_and_by_the_worker(broker: None) -> None:
    with running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES="1"), api(remote_settings()) as remote:
        with ThreadPoolExecutor(4) as crowd:
            replies = list(crowd.map(lambda seed: remote.get(f"/sample?model=ring&n=4000&seed={seed}"), range(8)))
        assert {reply.status_code for reply in replies} == {200, 429}
        refused = [reply for reply in replies if reply.status_code == 429]
        assert all(int(reply.headers["retry-after"]) >= 1 for reply in refused)
        with api(remote_settings(queue_pictures=1)) as small_queue, sample_request(small_queue, MANY_POINTS) as pending:
            wait_until_taken(1)
            full = small_queue.get("/sample?model=ring")
            assert (full.status_code, full.json()["code"]) == (429, "busy")
            invalid = small_queue.post("/translate", files={"file": ("a.png", b"no picture")}, data={"model": "night"})
            assert (invalid.status_code, invalid.json()["code"]) == (429, "busy")
            wipe()
            assert pending.result().status_code == 503


def test_wiped_broker_fails_only_the_requests_in_flight_with_503(worker: Process) -> None:
    with api(remote_settings()) as remote, api(remote_settings(deadline_s=2.0)) as short_deadline:
        assert remote.get("/sample?model=ring").status_code == 200
        with sample_request(remote, MANY_POINTS) as pending:
            wait_until_taken(1)
            wipe()
            assert_refused(pending.result(), "engine_away")
        assert remote.get("/sample?model=ring").status_code == 200
        with paused(worker), sample_request(short_deadline, 1) as pending:
            until(lambda: marks())
            wipe()
            assert_refused(pending.result(), "no_answer")
        assert remote.get("/sample?model=ring").status_code == 200


def test_killed_broker_fails_requests_with_503_until_it_is_back(models: None) -> None:
    with (
        api(remote_settings()) as remote,
        running_redis() as server,
        running_worker("worker.inference.worker", FORGER_QUEUE_PICTURES=QUEUE_PICTURES),
    ):
        assert remote.get("/sample?model=ring").status_code == 200
        with sample_request(remote, MANY_POINTS) as pending:
            wait_until_taken(1)
            server.kill()
            assert_refused(pending.result(), "broker_away")
        assert_refused(remote.get("/sample?model=ring"), "broker_away")
        server.wait()
        with running_redis():
            assert remote.get("/sample?model=ring").status_code == 200


def test_malformed_messages_in_the_reply_list_are_skipped(worker: Process) -> None:
    with api(remote_settings()) as remote, redis() as broker:
        assert remote.get("/sample?model=ring&seed=1").status_code == 200
        broker.rpush(reply_list(broker), b"", b"\xff\n", b"7\n", b"{}\n", b"[" * 100_000 + b"\n", b'{"id": [1]}\n')
        assert remote.get("/sample?model=ring&seed=2").status_code == 200


def test_broker_that_refuses_writes_is_reported_and_used_again_when_it_recovers(worker: Process) -> None:
    with api(remote_settings()) as remote, redis() as broker:
        assert remote.get("/sample?model=ring").status_code == 200
        make_redis_refuse_writes(broker)
        full = remote.get("/sample?model=ring")
        assert (full.status_code, full.json()["code"]) == (507, "no_room")
        let_redis_write(broker)
        assert until(lambda: remote.get("/sample?model=ring").status_code == 200)
        broker.config_set("maxmemory", 1)
        assert_refused(remote.get("/sample?model=ring"), "broker_away")
        broker.config_set("maxmemory", 0)
        assert until(lambda: remote.get("/sample?model=ring").status_code == 200)


def test_request_without_a_worker_ends_at_the_deadline(broker: None) -> None:
    with api(remote_settings(deadline_s=1.0)) as remote:
        assert_refused(remote.get("/sample?model=ring"), "no_answer")
        until(lambda: not marks())


def test_disconnect_withdraws_the_request_from_the_worker(worker: Process) -> None:
    def count_withdrawn() -> int:
        return worker_log().read_text().count("requests_cancelled")

    before = count_withdrawn()  # the workers of this module share one log
    with serving(create_app(remote_settings())) as port:
        with disconnecting_client(port, get_request(f"/sample?model=ring&n={MANY_POINTS}&format=npy")):
            wait_until_taken(1)
        until(lambda: count_withdrawn() > before)
        with paused(worker):
            with disconnecting_client(port, get_request("/sample?model=ring")):
                until(lambda: marks())
            until(lambda: not marks())


def assert_refused(reply: Any, code: str) -> None:
    assert (reply.status_code, reply.json()["code"]) == (503, code), reply.text
    assert int(reply.headers["retry-after"]) >= 1


def translation_request() -> bytes:
    """Return a request to translate a picture of many tiles."""
    picture = saved(Image.new("RGB", (3000, 3000), "navy"))
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    body = head + picture + b"\r\n--x--\r\n"
    headers = f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {len(body)}\r\n\r\n"
    return b"POST /translate HTTP/1.1\r\nHost: 127.0.0.1\r\n" + headers.encode() + body


@pytest.mark.parametrize(
    "raw_request",
    [get_request(f"/sample?model=ring&n={MANY_POINTS}&format=npy"), translation_request()],
    ids=["get", "post"],
)
def test_disconnect_frees_the_engine_in_the_api(models: None, raw_request: bytes) -> None:
    settings = get_settings().model_copy(update={"max_samples": MANY_POINTS, "max_pixels": 10_000_000})
    app = create_app(settings)
    with serving(app) as port:
        load = app.state.inference.load
        with disconnecting_client(port, raw_request):
            until(lambda: (load() or (0,))[0])
        until(lambda: load()[0] == 0)
        assert sum(n * turns for n, turns in enumerate(load()[1])) < MANY_POINTS
        until(lambda: b'status="499"' in app.state.metrics.text())
