"""Concurrent clients get the same bytes as a single client, also if memory holds only one model at a time."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from tests.app.api.conftest import Publish
from tests.support.zips import picture

SendRequest = Callable[[TestClient], httpx.Response]
CLIENTS, REQUESTS_EACH = 64, 4
"""the number of clients, and of the requests that each sends"""
SAMPLES = (
    "model=digits&class=7&seed=1",
    "model=digits&class=7&seed=2",
    "model=digits&class=3&n=33&seed=1&temperature=0.7",
    "model=digits&class=each&n=4&seed=5&format=webp",
    "model=digits&n=17&seed=2&format=npy",
    "model=digits&class=7&n=2&seed=1&scale=3",
    "model=plain&n=9&seed=3&format=json",
    "model=plain&seed=3&temperature=0.5",
    "model=ring&n=50&seed=4&format=json",
    "model=ring&n=3&seed=5&format=npy",
    "model=words&n=20&seed=6&format=txt",
    "model=words&n=3&seed=6&format=json",
    "model=digits@1&class=7&n=5&seed=1&format=zip",
)
SIZES = (64, 64), (40, 24), (90, 70)


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests read nothing but model versions from it."""
    return "sqlite"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("cdcgan", "digits", name="digits")
    publish("dcgan", "digits", name="plain")
    publish("gan", "ring8", name="ring")
    publish("gumbel_gan", "dyck", name="words")
    publish("cyclegan", "day2night", name="night", generator={"width": 8, "blocks": 1})


@pytest.fixture(params=["all models fit", "one model fits"])
def crowded_client(request: pytest.FixtureRequest, api_home: Path) -> Iterator[TestClient]:
    """Run an API that keeps all models in memory, and one that keeps only the model used last."""
    memory: dict[str, Any] = {} if request.param == "all models fit" else {"loaded_bytes": 1}
    settings = get_settings().model_copy(update=memory)
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def sample_request(query: str) -> SendRequest:
    return lambda client: client.get(f"/sample?{query}")


def translation_request(width: int, height: int, direction: str) -> SendRequest:
    files = {"file": ("a.png", picture(width, width, height))}
    return lambda client: client.post("/translate", files=files, data={"model": "night", "direction": direction})


def send_until_accepted(client: TestClient, send: SendRequest) -> httpx.Response:
    """Send the request again while too many pictures are being read (429)."""
    while (reply := send(client)).status_code == 429:
        time.sleep(0.05)
    return reply


REQUESTS: list[SendRequest] = [
    *map(sample_request, SAMPLES),
    *(translation_request(*size, direction) for size in SIZES for direction in ("a2b", "b2a")),
]


@pytest.mark.slow
def test_64_concurrent_clients_get_the_bytes_that_each_gets_alone(
    client: TestClient, crowded_client: TestClient
) -> None:
    alone = [send(client) for send in REQUESTS]
    assert {reply.status_code for reply in alone} == {200}
    assert len({reply.content for reply in alone}) == len(REQUESTS)
    barrier = Barrier(CLIENTS)

    def send_some(number: int) -> list[tuple[int, httpx.Response]]:
        chosen = random.Random(number).sample(range(len(REQUESTS)), REQUESTS_EACH)
        barrier.wait()
        return [(index, send_until_accepted(crowded_client, REQUESTS[index])) for index in chosen]

    with ThreadPoolExecutor(CLIENTS) as crowd:
        replies = [reply for several in crowd.map(send_some, range(CLIENTS)) for reply in several]
    assert {reply.status_code for _, reply in replies} == {200}
    assert {index for index, _ in replies} == set(range(len(REQUESTS)))
    differing = {index for index, reply in replies if reply.content != alone[index].content}
    assert differing == set()
    batches = crowded_client.app.state.inference.load()[1]  # type: ignore[attr-defined]
    assert sum(batches) < sum(n * count for n, count in enumerate(batches)), "some samples were drawn in one batch"
