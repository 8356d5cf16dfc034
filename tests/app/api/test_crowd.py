"""Whoever asks gets the bytes that he would get alone, whatever else is asked, and however short the memory is."""

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

Ask = Callable[[TestClient], httpx.Response]
CLIENTS, EACH = 64, 4
"""clients, and questions of each"""
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
    """What is tested here asks the database for versions alone."""
    return "sqlite"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("cdcgan", "digits", name="digits")
    publish("dcgan", "digits", name="plain")
    publish("gan", "ring8", name="ring")
    publish("gumbel_gan", "dyck", name="words")
    publish("cyclegan", "day2night", name="night", generator={"width": 8, "blocks": 1})


@pytest.fixture(params=["all models fit", "one model fits"])
def crowded(request: pytest.FixtureRequest, api_home: Path) -> Iterator[TestClient]:
    """An API; one whose memory is short drops a model whenever another is asked."""
    few: dict[str, Any] = {} if request.param == "all models fit" else {"loaded_bytes": 1}
    settings = get_settings().model_copy(update=few)
    with TestClient(create_app(settings), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def sampled(query: str) -> Ask:
    return lambda client: client.get(f"/sample?{query}")


def translated(width: int, height: int, direction: str) -> Ask:
    sent = {"file": ("a.png", picture(width, width, height))}
    return lambda client: client.post("/translate", files=sent, data={"model": "night", "direction": direction})


def answered(client: TestClient, ask: Ask) -> httpx.Response:
    """Few pictures are read at a time; who comes when there are more is asked to come again."""
    while (reply := ask(client)).status_code == 429:
        time.sleep(0.05)
    return reply


ASKS: list[Ask] = [
    *map(sampled, SAMPLES),
    *(translated(*size, direction) for size in SIZES for direction in ("a2b", "b2a")),
]


@pytest.mark.slow
def test_64_clients_of_every_kind_get_what_each_gets_alone(client: TestClient, crowded: TestClient) -> None:
    alone = [ask(client) for ask in ASKS]
    assert {reply.status_code for reply in alone} == {200}
    assert len({reply.content for reply in alone}) == len(ASKS)
    together = Barrier(CLIENTS)

    def ask_some(number: int) -> list[tuple[int, httpx.Response]]:
        chosen = random.Random(number).sample(range(len(ASKS)), EACH)
        together.wait()
        return [(which, answered(crowded, ASKS[which])) for which in chosen]

    with ThreadPoolExecutor(CLIENTS) as crowd:
        replies = [reply for several in crowd.map(ask_some, range(CLIENTS)) for reply in several]
    assert {reply.status_code for _, reply in replies} == {200}
    assert {which for which, _ in replies} == set(range(len(ASKS)))
    differing = {which for which, reply in replies if reply.content != alone[which].content}
    assert differing == set()
    turns = crowded.app.state.inference.load()[1]  # type: ignore[attr-defined]
    assert sum(turns) < sum(n * count for n, count in enumerate(turns)), "some were made together"
