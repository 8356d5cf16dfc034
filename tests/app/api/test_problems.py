"""Every error reply is a problem document of one shape."""

import re
from collections.abc import Callable, Iterator

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from tests.support.problems import assert_problem

SendRequest = Callable[[TestClient], Response]


def in_pieces() -> Iterator[bytes]:
    """Yield a body without a Content-Length."""
    yield from (b" " * 100_000 for _ in range(40))


JSON = {"content-type": "application/json"}
ERRORS: dict[str, tuple[SendRequest, int]] = {
    "unknown address": (lambda c: c.get("/nowhere"), 404),
    "unknown job": (lambda c: c.get("/jobs/job_none"), 404),
    "unknown job's metrics": (lambda c: c.get("/jobs/job_none/metrics"), 404),
    "unknown job's events": (lambda c: c.get("/jobs/job_none/events"), 404),
    "unknown job's stream": (lambda c: c.get("/jobs/job_none/events", headers={"accept": "text/event-stream"}), 404),
    "invalid Last-Event-ID": (lambda c: c.get("/jobs/job_none/events", headers={"last-event-id": "x"}), 422),
    "cancelling an unknown job": (lambda c: c.post("/jobs/job_none/cancel"), 404),
    "unknown model": (lambda c: c.get("/models/none"), 404),
    "unknown dataset": (lambda c: c.get("/datasets/none"), 404),
    "unknown recipe": (lambda c: c.get("/recipes/none"), 404),
    "no model yet": (lambda c: c.get("/sample"), 404),
    "wrong method": (lambda c: c.delete("/jobs"), 405),
    "not acceptable": (lambda c: c.get("/sample", headers={"accept": "text/html"}), 406),
    "declared too large": (lambda c: c.post("/jobs", content=b" " * 4_000_000, headers=JSON), 413),
    "too large in pieces": (lambda c: c.post("/jobs", content=in_pieces(), headers=JSON), 413),
    "declared too large anywhere": (lambda c: c.post("/nowhere", content=b" " * 4_000_000), 413),
    "wrong media type": (lambda c: c.post("/jobs", content=b"a=1", headers={"content-type": "text/plain"}), 415),
    "no media type": (lambda c: c.post("/jobs", content=b"{}"), 415),
    "JSON to an upload": (lambda c: c.post("/translate", json={}), 415),
    "invalid JSON": (lambda c: c.post("/jobs", content=b"{", headers=JSON), 422),
    "deep JSON": (lambda c: c.post("/jobs", content=b"[" * 100_000, headers=JSON), 422),
    "empty body": (lambda c: c.post("/jobs", content=b"", headers=JSON), 422),
    "wrong field": (lambda c: c.post("/jobs", json={"recipe": "dcgan", "seed": "1"}), 422),
    "lone surrogate": (lambda c: c.post("/jobs", content=b'{"recipe": "\\ud800"}', headers=JSON), 422),
    "wrong parameter": (lambda c: c.get("/jobs?state=lost"), 422),
    "huge number": (lambda c: c.get("/jobs/job_none/metrics?after_step=" + "9" * 30), 422),
    "broken multipart": (
        lambda c: c.post("/translate", content=b"x", headers={"content-type": "multipart/form-data"}),
        400,
    ),
    "missing file": (lambda c: c.post("/translate", files={"other": b"x"}), 422),
    "unknown host": (lambda c: c.get("/livez", headers={"host": "evil.example"}), 421),
}


@pytest.mark.parametrize("error", ERRORS)
def test_each_error_is_a_problem_document(client: TestClient, error: str) -> None:
    send, status = ERRORS[error]
    assert_problem(send(client), status)


def test_405_names_the_accepted_methods(client: TestClient) -> None:
    reply = client.delete("/jobs")
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    details = {path: client.delete(path).json()["detail"] for path in ("/jobs", "/limits")}
    assert details["/jobs"] == "This address does not accept that method; it accepts GET, HEAD, POST."
    assert details["/limits"] == "This address does not accept that method; it accepts GET, HEAD."


def test_unexpected_exception_is_a_500_problem_without_its_message(api_home: object) -> None:
    app: FastAPI = create_app(get_settings())

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("a secret")

    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        body = assert_problem(client.get("/broken"), 500)
    assert "secret" not in str(body)


def test_valid_request_id_is_kept_and_an_invalid_one_is_replaced(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "abc-1.2"}).headers["x-request-id"] == "abc-1.2"
    replacement = client.get("/nowhere", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert re.fullmatch("[0-9a-f]{24}", replacement)


def test_problem_points_at_each_refused_field(client: TestClient) -> None:
    body = assert_problem(
        client.post("/jobs", json={"recipe": ["dcgan"], "seed": 2**63, "sed": 1, "model": "../x"}), 422
    )
    assert {error["pointer"] for error in body["errors"]} == {"/recipe", "/seed", "/sed", "/model"}
    assert [error["pointer"] for error in assert_problem(client.post("/jobs", json={}), 422)["errors"]] == ["/recipe"]


def test_problem_points_into_a_refused_recipe(client: TestClient) -> None:
    request = {"recipe": "dcgan", "overrides": {"batch_size": 0}, "budget": {"steps": 0}}
    pointers = {error["pointer"] for error in assert_problem(client.post("/jobs", json=request), 422)["errors"]}
    assert pointers == {"/overrides/batch_size", "/budget/steps"}
    unknown = assert_problem(client.post("/jobs", json={"recipe": "dcgan", "dataset": "cats"}), 422)
    assert [error["pointer"] for error in unknown["errors"]] == ["/dataset"]
    assert "digits" in unknown["detail"]


def test_pointers_do_not_contain_union_tags(client: TestClient) -> None:
    overrides = {"game": {"kind": "synthesis", "a/b": 1}, "penalties": [{"kind": "r1", "weight": -1}]}
    errors = assert_problem(client.post("/jobs", json={"recipe": "dcgan", "overrides": overrides}), 422)["errors"]
    assert {error["pointer"] for error in errors} == {"/overrides/game/a~1b", "/overrides/penalties/0/weight"}
    seed_errors = assert_problem(client.post("/experiments", json={"recipe": "gan", "seeds": [1, "x"]}), 422)["errors"]
    assert {error["pointer"] for error in seed_errors} >= {"/seeds/1"}


def test_openapi_document_describes_errors_as_problems_only(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(document)
    reply = document["paths"]["/jobs"]["post"]["responses"]["422"]["content"]
    assert reply == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    referenced = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert referenced <= document["components"]["schemas"].keys()
