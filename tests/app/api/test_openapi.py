"""The OpenAPI document describes what the service does."""

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
    "request-timeout": 600,  # the default of 10 s is too short for an export on a busy machine
    "seed": 20261122,
    "generation": {"max-examples": 12, "deterministic": True, "database": "none"},
    # Without a broker /readyz replies 503, as it should.
    "operations": [{"include-path": "/readyz", "checks": {"not_a_server_error": {"enabled": False}}}],
    # A request that a schema allows may still be refused: an unknown recipe, a class that the model does not have.
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
def test_every_operation_conforms_to_the_document(document: Any) -> None:
    failures, scenarios = set(), 0
    for event in engine.from_schema(document).execute():
        if isinstance(event, events.ScenarioFinished):
            scenarios += 1
            failures |= set(_failures(event))
        assert not isinstance(event, events.NonFatalError | events.FatalError), event
    assert scenarios > 60
    assert not failures, "\n\n".join(sorted(failures))


def _failures(event: events.ScenarioFinished) -> Iterator[str]:
    for case, checks in event.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                failure = check.failure_info.failure
                request = event.recorder.interactions[case].request
                yield f"{request.method} {request.uri}: {failure.title}: {failure.message}"


def test_every_operation_has_a_description_and_valid_examples(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
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


def test_api_key_and_headers_of_pictures_are_described(client: TestClient, publish: Publish) -> None:
    document = client.get("/openapi.json").json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert document["security"] == [{"key": []}, {}]  # only some services require it
    paths = document["paths"]
    open_paths = {
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if operation.get("security") == []
    }
    assert open_paths == {"/livez", "/readyz", "/session"}
    publish("cdcgan", "digits", name="sampled")
    reply = client.get("/sample?model=sampled&class=7")
    assert reply.status_code == 200
    described = {name.lower() for name in paths["/sample"]["get"]["responses"]["200"]["headers"]}
    sent = {name for name in reply.headers if name.startswith(("x-forger", "forger"))}
    assert sent <= described
    assert "x-forger-seed" in sent
    translation_headers = paths["/translate"]["post"]["responses"]["200"]["headers"]
    assert translation_headers.keys() == {"X-Forger-Model", "Forger-Health", "Forger-Note"}
    assert all(each["description"].endswith(".") for each in translation_headers.values())
