"""JSON bodies are measured, then checked, large ones away from the event loop; a reply tells few of their errors."""

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
from tests.app.api.test_problems import a_problem

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def backend() -> str:
    """What is tested here asks the database for nothing."""
    return "sqlite"


def sent(client: TestClient, path: str, body: Any) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=content, headers=JSON)


def errors_of(reply: Response) -> list[tuple[str, str]]:
    return [(error["pointer"], error["message"]) for error in a_problem(reply, 422)["errors"]]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"recipe": "gan", "recipe": "dcgan"}', "/recipe"),
        (b'{"recipe": "gan", "overrides": {"a/b": [0, {"x": 1, "y": 2, "x": 1}]}}', "/overrides/a~1b/1/x"),
        (b'{"recipe": "gan", "\\u0073eed": 1, "seed": 2}', "/seed"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(client: TestClient, body: bytes, pointer: str) -> None:
    assert errors_of(sent(client, "/jobs", body)) == [(pointer, "The key is there twice: name it once")]


def test_a_field_of_a_form_that_is_there_twice_is_refused(client: TestClient) -> None:
    for path, field in (("/datasets", "name"), ("/translate", "model"), ("/jobs", "job")):
        reply = client.post(path, files={"file": b"x"}, data={field: ["a", "b"]})
        assert errors_of(reply)[0][1] == "The field is there twice: send it once."


MANY: dict[str, tuple[str, Any, str]] = {
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


@pytest.mark.parametrize("what", MANY)
def test_few_errors_are_told_and_each_once(client: TestClient, what: str) -> None:
    path, body, words = MANY[what]
    reply = sent(client, path, body)
    told = errors_of(reply)
    assert len(told) == len(set(told)) == MAX_REPORTED_ERRORS
    assert words in reply.json()["detail"]
    assert not any(f"{pointer}: " in reply.json()["detail"] for pointer, _ in told), "they are told in `errors` alone"
    assert len(reply.content) < 20_000


def test_a_dry_run_tells_as_few(client: TestClient) -> None:
    asked = {"recipe": "gan", "overrides": {f"f{n}": 0 for n in range(1000)}, "dry_run": True}
    for path in ("/jobs", "/experiments"):
        assert len(sent(client, path, asked).json()["refusals"]) == MAX_REPORTED_ERRORS


def test_a_long_name_is_not_repeated_whole(client: TestClient) -> None:
    reply = sent(client, "/jobs", {"recipe": "gan", "x" * 100_000: 1, "kind": "train"})
    assert len(errors_of(reply)) == 1
    assert len(reply.content) < 2000
    assert len(sent(client, "/jobs", {"recipe": "gan", "overrides": {"game": {"kind": "y" * 100_000}}}).content) < 5000


@pytest.mark.parametrize(
    ("path", "field"), [("/jobs", "figures"), ("/experiments", "seeds"), ("/experiments", "cases")]
)
def test_a_list_is_measured_before_its_items_are_read(client: TestClient, path: str, field: str) -> None:
    """One error says that it is too long, and none what is wrong with its items."""
    body = {"kind": "evaluate", "model": "a"} if path == "/jobs" else {"recipe": "gan"}
    told = errors_of(sent(client, path, body | {field: [{}] * 5000}))
    assert [message for pointer, message in told if pointer.startswith(f"/{field}/")] == []
    assert any("entries" in message for pointer, message in told if pointer == f"/{field}")


def test_values_and_depth_are_bounded(client: TestClient) -> None:
    few = {f"f{n}": 0 for n in range(MAX_JSON_VALUES)}
    assert errors_of(sent(client, "/jobs", few)) != errors_of(sent(client, "/jobs", few | {"more": 0}))
    assert "(values)" in errors_of(sent(client, "/jobs", few | {"more": 0}))[0][1]
    assert "(values)" in errors_of(sent(client, "/jobs", {"recipe": [[0] * 200] * 200}))[0][1]
    nested = b'{"recipe": "gan", "overrides": %b1%b}'
    for depth, refused in ((MAX_JSON_DEPTH - 2, False), (MAX_JSON_DEPTH, True), (5000, True)):
        told = errors_of(sent(client, "/jobs", nested % (b'{"a":' * depth, b"}" * depth)))
        assert any("(depth)" in message for _, message in told) == refused


@pytest.mark.parametrize("pointer", ["/a" * 5000, "/generator" + "/a" * 40])
def test_a_grids_pointer_is_as_deep_at_most(client: TestClient, pointer: str) -> None:
    (error,) = errors_of(sent(client, "/experiments", {"recipe": "gan", "grid": {pointer: [1]}}))
    assert "(depth)" in error[1]


def test_an_address_has_few_parameters(client: TestClient) -> None:
    for path in ("/sample", "/jobs"):
        reply = client.get(path + "?" + "&".join(f"a{n}=1" for n in range(201)))
        assert (reply.status_code, "(parameters)" in reply.json()["detail"]) == (400, True)


class _Noted(BaseModel):
    """Notes on which thread it is checked."""

    text: str

    @field_validator("text")
    @classmethod
    def _note(cls, text: str) -> str:
        checked_on.append(threading.current_thread())
        return text


checked_on: list[threading.Thread] = []


@pytest.mark.parametrize("large", [True, False])
def test_large_bodies_are_checked_away_from_the_event_loop(large: bool) -> None:
    router = APIRouter(route_class=JsonRoute)

    @router.post("/noted")
    async def noted(body: _Noted) -> str:
        return f"{threading.get_ident()} {len(body.text)}"

    app = FastAPI()
    app.include_router(router)
    checked_on.clear()
    size = json_bodies.LARGE_BODY_BYTES if large else 10
    loop, length = TestClient(app).post("/noted", json={"text": "x" * size}).json().split()
    assert int(length) == size
    assert [thread.ident != int(loop) for thread in checked_on] == [large], "checked once, and where it should be"


def test_every_route_with_a_json_body_is_checked_so(api_home: Path, client: TestClient) -> None:
    """None is left to FastAPI, which would check it on the event loop and tell every error."""
    paths = client.get("/openapi.json").json()["paths"]
    taking = [
        path
        for path, room in paths.items()
        if "application/json" in room.get("post", {}).get("requestBody", {}).get("content", {})
    ]
    assert len(taking) >= 4
    for path in taking:
        told = errors_of(sent(client, path.format(job_id="job_x"), b'{"twice": 1, "twice": 1}'))
        assert told == [("/twice", "The key is there twice: name it once")], path
