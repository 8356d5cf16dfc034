"""The API loads torch when it is first needed; until then it is ready without it."""

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

DRY_RUN = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "dry_run": True}


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests read nothing but model versions from it."""
    return "sqlite"


def api() -> TestClient:
    return TestClient(create_app(get_settings()), base_url="http://127.0.0.1", raise_server_exceptions=False)


def inference_of(client: TestClient) -> Inference:
    inference: Inference = client.app.state.inference  # type: ignore[attr-defined]
    return inference


def engine_is_ready(client: TestClient) -> bool:
    """Return the engine's part of /readyz: no broker runs here."""
    return bool(client.get("/readyz").json()["checks"]["engine"]["ok"])


@pytest.fixture
def engine_may_load(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Delay the loading of engines until this event is set."""
    may_load, load_engine = threading.Event(), service.local_engine

    def load_when_allowed(settings: Settings) -> AnyEngine:
        may_load.wait()
        return load_engine(settings)

    monkeypatch.setattr(service, "local_engine", load_when_allowed)
    yield may_load
    may_load.set()


def test_a_service_without_a_model_is_ready_without_an_engine(database: Path) -> None:
    with api() as client:
        until(lambda: engine_is_ready(client))
        assert client.get("/sample").status_code == 404
        assert client.post("/jobs", json=DRY_RUN | {"dry_run": False}).status_code == 201
        assert inference_of(client).load() is None
        assert "forger_engine_up 0" in client.get("/metrics").text
    assert "engine-loader" not in {thread.name for thread in threading.enumerate()}


def test_first_published_model_loads_the_engine(database: Path) -> None:
    with api() as client:
        until(lambda: engine_is_ready(client))
        publish_vivid("gan", "ring8")
        until(lambda: inference_of(client).load() is not None)
        assert client.get("/sample").status_code == 200


def test_estimate_does_not_load_the_engine(database: Path) -> None:
    with api() as client:
        assert client.post("/jobs", json=DRY_RUN).json()["estimate"]["parameters"]["generator"] > 0
        assert inference_of(client).load() is None


def test_publishing_a_checkpoint_loads_the_engine(database: Path) -> None:
    job = make_job("gan", "ring8")
    assert attempts.claim(job.id, "tests") is not None
    checkpoint = write_checkpoint(job.id, 1)
    with api() as client:
        assert client.post("/models", json={"name": "mine", "checkpoint": checkpoint.id}).status_code == 201
        assert inference_of(client).load() is not None


def test_ready_service_stays_ready_while_the_engine_loads(database: Path, engine_may_load: threading.Event) -> None:
    with api() as client:
        until(lambda: engine_is_ready(client))
        publish_vivid("gan", "ring8")
        statuses: list[int] = []
        request = threading.Thread(target=lambda: statuses.append(client.get("/sample").status_code))
        request.start()
        until(lambda: inference_of(client)._engine_needed.is_set())
        assert engine_is_ready(client)
        assert statuses == []
        engine_may_load.set()
        request.join()
        assert statuses == [200]


def test_service_with_a_model_is_ready_when_the_engine_is_loaded(
    database: Path, engine_may_load: threading.Event
) -> None:
    publish_vivid("gan", "ring8")
    with api() as client:
        until(lambda: inference_of(client)._engine_needed.is_set())
        assert not engine_is_ready(client)
        engine_may_load.set()
        until(lambda: engine_is_ready(client))
        assert inference_of(client).load() is not None
