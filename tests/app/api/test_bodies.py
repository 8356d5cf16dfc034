"""JSON bodies are bounded before they are validated, large ones off the event loop; few errors are reported."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response
from pydantic import BaseModel, field_validator
from starlette.testclient import TestClient

from app.api.requests import json_bodies
from app.api.requests.json_bodies import JsonRoute
from app.core.limits import MAX_JSON_DEPTH, MAX_JSON_VALUES, MAX_REPORTED_ERRORS
from tests.support.problems import assert_problem

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests store nothing."""
    return "sqlite"


def post_json(client: TestClient, path: str, body: Any) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers=JSON)


def errors_of(reply: Response) -> list[tuple[str, str]]:
    return [(error["pointer"], error["message"]) for error in assert_problem(reply, 422)["errors"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"recipe": "gan", "recipe": "dcgan"}', "/recipe"),
        (b'{"recipe": "gan", "overrides": {"a/b": [0, {"x": 1, "y": 2, "x": 1}]}}', "/overrides/a~1b/1/x"),
        (b'{"recipe": "gan", "\\u0073eed": 1, "seed": 2}', "/seed"),
    ],
)
def test_duplicate_json_key_is_refused(client: TestClient, body: bytes, pointer: str) -> None:
    assert errors_of(post_json(client, "/jobs", body)) == [(pointer, "The key is there twice: name it once")]


def test_duplicate_form_field_is_refused(client: TestClient) -> None:
    for path, field in (("/datasets", "name"), ("/translate", "model"), ("/jobs", "job")):
        reply = client.post(path, files={"file": b"x"}, data={field: ["a", "b"]})
        assert errors_of(reply)[0][1] == "The field is there twice: send it once."


MANY_ERRORS: dict[str, tuple[str, Any, str]] = {
    "fields": ("/jobs", {f"f{n}": 0 for n in range(MAX_JSON_VALUES - 1)}, "parts of it are wrong"),
    "overrides": ("/jobs", {"recipe": "gan", "overrides": {f"f{n}": 0 for n in range(1000)}}, "parts of it are wrong"),
    "cases": (
        "/experiments",
        {"recipe": "gan", "overrides": {f"f{n}": 0 for n in range(1000)}, "cases": [{"name": "a"}, {"name": "b"}]},
        "parts of it are wrong",
    ),
    "grid": (
        "/experiments",
        {"recipe": "gan", "grid": {"/a": [{f"f{n}": 0 for n in range(10_000)}], "/b": list(range(150))}},
        "parts of it are wrong",
    ),
    "items": ("/experiments", {"recipe": "gan", "seeds": ["x"] * 150}, "parts of it are wrong"),
}


@pytest.mark.parametrize("case", MANY_ERRORS)
def test_reported_errors_are_few_and_distinct(client: TestClient, case: str) -> None:
    path, body, phrase = MANY_ERRORS[case]
    reply = post_json(client, path, body)
    errors = errors_of(reply)
    assert len(errors) == len(set(errors)) == MAX_REPORTED_ERRORS
    assert phrase in reply.json()["detail"]
    assert not any(f"{pointer}: " in reply.json()["detail"] for pointer, _ in errors), "they stand in `errors` alone"
    assert len(reply.content) < 20_000


def test_dry_run_reports_as_few_refusals(client: TestClient) -> None:
    body = {"recipe": "gan", "overrides": {f"f{n}": 0 for n in range(1000)}, "dry_run": True}
    for path in ("/jobs", "/experiments"):
        assert len(post_json(client, path, body).json()["refusals"]) == MAX_REPORTED_ERRORS


def test_long_names_are_shortened_in_errors(client: TestClient) -> None:
    reply = post_json(client, "/jobs", {"recipe": "gan", "x" * 100_000: 1, "kind": "train"})
    assert len(errors_of(reply)) == 1
    assert len(reply.content) < 2000
    assert (
        len(post_json(client, "/jobs", {"recipe": "gan", "overrides": {"game": {"kind": "y" * 100_000}}}).content)
        < 5000
    )


@pytest.mark.parametrize(
    ("path", "field"), [("/jobs", "figures"), ("/experiments", "seeds"), ("/experiments", "cases")]
)
def test_too_long_list_is_refused_before_its_items_are_validated(client: TestClient, path: str, field: str) -> None:
    """One error says that the list is too long, and none says what is wrong with its items."""
    body = {"kind": "evaluate", "model": "a"} if path == "/jobs" else {"recipe": "gan"}
    errors = errors_of(post_json(client, path, body | {field: [{}] * 5000}))
    assert [message for pointer, message in errors if pointer.startswith(f"/{field}/")] == []
    assert any("entries" in message for pointer, message in errors if pointer == f"/{field}")


def test_number_and_depth_of_json_values_are_bounded(client: TestClient) -> None:
    most = {f"f{n}": 0 for n in range(MAX_JSON_VALUES)}
    assert errors_of(post_json(client, "/jobs", most)) != errors_of(post_json(client, "/jobs", most | {"more": 0}))
    assert "(values)" in errors_of(post_json(client, "/jobs", most | {"more": 0}))[0][1]
    assert "(values)" in errors_of(post_json(client, "/jobs", {"recipe": [[0] * 200] * 200}))[0][1]
    nested = b'{"recipe": "gan", "overrides": %b1%b}'
    for depth, refused in ((MAX_JSON_DEPTH - 2, False), (MAX_JSON_DEPTH, True), (5000, True)):
        errors = errors_of(post_json(client, "/jobs", nested % (b'{"a":' * depth, b"}" * depth)))
        assert any("(depth)" in message for _, message in errors) == refused


@pytest.mark.parametrize("pointer", ["/a" * 5000, "/generator" + "/a" * 40])
def test_grid_pointer_that_is_too_deep_is_refused(client: TestClient, pointer: str) -> None:
    (error,) = errors_of(post_json(client, "/experiments", {"recipe": "gan", "grid": {pointer: [1]}}))
    assert "(depth)" in error[1]


def test_url_with_too_many_parameters_is_refused(client: TestClient) -> None:
    for path in ("/sample", "/jobs"):
        reply = client.get(path + "?" + "&".join(f"a{n}=1" for n in range(201)))
        assert (reply.status_code, "(parameters)" in reply.json()["detail"]) == (400, True)


class _RecordingBody(BaseModel):
    """A body that records the thread that validates it."""

    text: str

    @field_validator("text")
    @classmethod
    def _record(cls, text: str) -> str:
        validation_threads.append(threading.current_thread())
        return text


validation_threads: list[threading.Thread] = []


@pytest.mark.parametrize("large", [True, False])
def test_only_large_bodies_are_validated_off_the_event_loop(large: bool) -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/recorded")
    async def recorded(body: _RecordingBody) -> str:
        return f"{threading.get_ident()} {len(body.text)}"

    app = FastAPI()
    app.include_router(router)
    validation_threads.clear()
    size = json_bodies.LARGE_BODY_BYTES if large else 10
    loop, length = TestClient(app).post("/recorded", json={"text": "x" * size}).json().split()
    assert int(length) == size
    assert [thread.ident != int(loop) for thread in validation_threads] == [large], (
        "validated once, and on the right thread"
    )


def test_every_route_with_a_json_body_refuses_duplicate_keys(api_home: Path, client: TestClient) -> None:
    """No body is left to FastAPI, which would validate it on the event loop and report every error."""
    paths = client.get("/openapi.json").json()["paths"]
    json_paths = [
        path
        for path, operations in paths.items()
        if "application/json" in operations.get("post", {}).get("requestBody", {}).get("content", {})
    ]
    assert len(json_paths) >= 4
    for path in json_paths:
        address = path.format(job_id="job_x", name="sevens", version=1)
        errors = errors_of(post_json(client, address, b'{"twice": 1, "twice": 1}'))
        assert errors == [("/twice", "The key is there twice: name it once")], path
