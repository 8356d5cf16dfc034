"""The OpenAPI document is true: what it describes is what the service does."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from schemathesis import engine
from schemathesis.engine import events
from schemathesis.python import asgi
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from tests.app.api.conftest import Publish

CONFIG = {
    "base-url": "http://127.0.0.1",
    "seed": 20261122,
    "generation": {"max-examples": 12, "deterministic": True, "database": "none"},
    # Without a broker it tells the truth: 503.
    "operations": [{"include-path": "/readyz", "checks": {"not_a_server_error": {"enabled": False}}}],
    # What a schema allows may still be refused: a recipe nobody knows, a class the model has not.
    "checks": {"positive_data_acceptance": {"enabled": False}},
}


@pytest.fixture(scope="module")
def document(publish: Publish) -> Iterator[Any]:
    publish()
    config = schemathesis.Config.from_dict(CONFIG)
    yield schemathesis.openapi.from_asgi(
        "/openapi.json", create_app(get_settings()), config=config, headers={"Host": "127.0.0.1"}
    )
    asgi.shutdown_lifespans()


@pytest.mark.slow
@pytest.mark.sampled(1)
def test_every_operation_keeps_its_word(document: Any) -> None:
    broken, scenarios = set(), 0
    for event in engine.from_schema(document).execute():
        if isinstance(event, events.ScenarioFinished):
            scenarios += 1
            broken |= set(_failures(event))
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
    assert scenarios > 60
    assert not broken, "\n\n".join(sorted(broken))


def _failures(event: events.ScenarioFinished) -> Iterator[str]:
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                request = event.recorder.interactions[case].request
                yield f"{request.method} {request.uri}: {failure.title}: {failure.message}"


def test_every_operation_is_described_with_an_example_of_its_shape(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, room in document["paths"].items():
        for method, operation in room.items():
            name = f"{method} {path}"
            assert 5 < len(operation["summary"]) < 80, name
            assert operation["description"].endswith("."), name
            assert {"400", "401", "421", "500"} <= operation["responses"].keys(), name
            bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
            for status, body in bodies.items():
                media = body.get("content", {}).get("application/json", {})
                if "$ref" in media.get("schema", {}):
                    schema = media["schema"] | {"components": document["components"]}
                    jsonschema_rs.validate(schema, media["example"])
                    assert media["example"], (name, status)
            for parameter in operation.get("parameters", []):
                assert parameter["in"] != "path" or "example" in parameter, (name, parameter["name"])


def test_the_key_and_the_headers_of_pictures_are_described(client: TestClient, publish: Publish) -> None:
    document = client.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["security"] == [{"key": []}, {}]  # only some services ask for it
    paths = document["paths"]
    open_ = {path for path, room in paths.items() for operation in room.values() if operation.get("security") == []}
    assert open_ == {"/livez", "/readyz", "/session"}
    publish("cdcgan", "digits", name="seen")
    reply = client.get("/sample?model=seen&class=7")
    assert reply.status_code == 200
    said = {name.lower() for name in paths["/sample"]["get"]["responses"]["200"]["headers"]}
    sent = {name for name in reply.headers if name.startswith(("x-forger", "forger"))}
    assert sent <= said
    assert "x-forger-seed" in sent
    answers = paths["/translate"]["post"]["responses"]["200"]["headers"]
    assert answers.keys() == {"X-Forger-Model", "Forger-Health", "Forger-Note"}
    assert all(each["description"].endswith(".") for each in answers.values())
