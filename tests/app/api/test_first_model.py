"""torch comes into an API with the first use for it; until then nothing is missing."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.core.settings import Settings, get_settings
from app.main import create_app
from app.services.inference import service
from app.services.inference.service import Inference
from app.services.jobs import attempts
from serving.protocol import AnyEngine
from tests.support.checkpoints import write_checkpoint
from tests.support.exports import publish_vivid
from tests.support.jobs import make_job
from tests.support.wait import until

WISH = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "dry_run": True}


@pytest.fixture(scope="module")
def backend() -> str:
    """What is tested here asks the database for versions alone."""
    return "sqlite"


def api() -> TestClient:
    return TestClient(create_app(get_settings()), base_url="http://127.0.0.1", raise_server_exceptions=False)


def engine_of(client: TestClient) -> Inference:
    found: Inference = client.app.state.inference  # type: ignore[attr-defined]
    return found


def ready(client: TestClient) -> bool:
    """As far as the engine goes: no broker runs here."""
    return bool(client.get("/readyz").json()["checks"]["engine"]["ok"])


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Engines load once it is set."""
    go, make = threading.Event(), service.local_engine

    def late(settings: Settings) -> AnyEngine:
        go.wait()
        return make(settings)

    monkeypatch.setattr(service, "local_engine", late)
    yield go
    go.set()


def test_a_service_without_a_model_is_ready_without_an_engine(database: Path) -> None:
    with api() as client:
        until(lambda: ready(client))
        assert client.get("/sample").status_code == 404
        assert client.post("/jobs", json=WISH | {"dry_run": False}).status_code == 201
        assert engine_of(client).load() is None
        assert "forger_engine_up 0" in client.get("/metrics").text
    assert "engine-loader" not in {thread.name for thread in threading.enumerate()}


def test_the_first_model_brings_it(database: Path) -> None:
    with api() as client:
        until(lambda: ready(client))
        publish_vivid("gan", "ring8")
        until(lambda: engine_of(client).load() is not None)
        assert client.get("/sample").status_code == 200


def test_an_estimate_needs_none(database: Path) -> None:
    with api() as client:
        assert client.post("/jobs", json=WISH).json()["estimate"]["parameters"]["generator"] > 0
        assert engine_of(client).load() is None


def test_who_asks_for_what_only_networks_can_do_brings_it(database: Path) -> None:
    job = make_job("gan", "ring8")
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 1)
    with api() as client:
        assert client.post("/models", json={"name": "mine", "checkpoint": checkpoint.id}).status_code == 201
        assert engine_of(client).load() is not None


def test_a_service_that_was_ready_stays_so_while_the_engine_loads(database: Path, held_up: threading.Event) -> None:
    with api() as client:
        until(lambda: ready(client))
        publish_vivid("gan", "ring8")
        statuses: list[int] = []
        early = threading.Thread(target=lambda: statuses.append(client.get("/sample").status_code))
        early.start()
        until(lambda: engine_of(client)._engine_needed.is_set())
        assert ready(client)
        assert statuses == []
        held_up.set()
        early.join()
        assert statuses == [200]


def test_with_a_model_it_is_ready_when_the_engine_is(database: Path, held_up: threading.Event) -> None:
    publish_vivid("gan", "ring8")
    with api() as client:
        until(lambda: engine_of(client)._engine_needed.is_set())
        assert not ready(client)
        held_up.set()
        until(lambda: ready(client))
        assert engine_of(client).load() is not None
