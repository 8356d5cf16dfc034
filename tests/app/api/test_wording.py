"""Every field of every request is refused in words of ours: field, value, what is allowed, nearest name."""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.schemas.bulk import GenerateIn, TranslateIn
from app.schemas.catalog import ModelIn
from app.schemas.experiments import ExperimentIn
from app.schemas.jobs import EvaluateIn, ExtendIn, TrainIn
from tests.support.problems import assert_problem
from tests.support.wording import FOREIGN, followed, require_told, wrong_for

CASES: dict[str, tuple[type[Any], str, dict[str, Any]]] = {
    "train": (TrainIn, "/jobs", {"recipe": "gan", "dry_run": True}),
    "evaluate": (EvaluateIn, "/jobs", {"kind": "evaluate", "model": "none", "dry_run": True}),
    "generate": (GenerateIn, "/jobs", {"kind": "generate", "n": 3, "dry_run": True}),
    "translate": (TranslateIn, "/jobs", {"kind": "translate", "dataset": "digits", "dry_run": True}),
    "extend": (ExtendIn, "/jobs/job_none/extend", {"budget": {"steps": 3}}),
    "experiment": (ExperimentIn, "/experiments", {"recipe": "gan", "dry_run": True}),
    "model": (ModelIn, "/models", {"name": "sevens", "checkpoint": "ckpt_none"}),
}
"""of each body: its type, where it is sent, and one that is good"""
BODIES = {path.replace("job_none", "{job_id}"): good for _, path, good in CASES.values()}


def fields(schema: Mapping[str, Any], root: Mapping[str, Any], way: tuple[str, ...] = ()) -> Iterator[Any]:
    """Every field with the way to it, those inside of objects too."""
    for name, field in schema.get("properties", {}).items():
        node = followed(field, root)
        yield (*way, name), node
        yield from fields(node, root, (*way, name))


def messages(reply: Response) -> dict[str, str]:
    body = assert_problem(reply, 422)
    assert not [word for word in FOREIGN if word in reply.text], reply.text
    return {error["pointer"]: error["message"] for error in body["errors"]}


def changed(good: dict[str, Any], way: tuple[str, ...], value: Any) -> dict[str, Any]:
    body = copy.deepcopy(good)
    here = body
    for step in way[:-1]:
        here = here.setdefault(step, {})
    here[way[-1]] = value
    return body


def test_every_body_of_the_service_is_among_them(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    paths = client.app.openapi()["paths"]
    takes = {path for path, room in paths.items() if "application/json" in str(room.get("post", {}).get("requestBody"))}
    assert takes == {"/jobs", "/jobs/{job_id}/extend", "/experiments", "/models"}


@pytest.mark.parametrize("case", CASES)
def test_wrong_values_in_a_body(client: TestClient, case: str) -> None:
    kind, path, good = CASES[case]
    schema = kind.model_json_schema()
    tried = 0
    for way, field in fields(schema, schema):
        for value in wrong_for(field, schema):
            if way == ("kind",) or (isinstance(value, float) and math.isnan(value)):  # JSON has no NaN
                continue
            found = messages(client.post(path, json=changed(good, way, value)))
            told = {at: message for at, message in found.items() if at.startswith("/" + "/".join(way))}
            assert told, (way, value, found)
            if (at := "/" + "/".join(way)) in told:
                require_told(told[at], ".".join(way), value)
            tried += 1
    assert tried >= 4


@pytest.mark.parametrize("case", CASES)
def test_unknown_fields_of_a_body(client: TestClient, case: str) -> None:
    kind, path, good = CASES[case]
    for name in kind.model_json_schema()["properties"]:
        wrong = f"{name}s" if f"{name}s" not in kind.model_json_schema()["properties"] else f"{name}_"
        message = messages(client.post(path, json={**good, wrong: 7}))[f"/{wrong}"]
        require_told(message, wrong, 7)
        assert f"did you mean '{name}'?" in message


def test_wrong_parameters_of_every_address(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    document = client.app.openapi()
    tried = 0
    for path, room in document["paths"].items():
        for parameter in room.get("get", {}).get("parameters", ()):
            if parameter["in"] != "query":
                continue
            schema, name = followed(parameter["schema"], document), parameter["name"]
            if "array" in str(schema):  # each text is an entry
                continue
            for value in wrong_for(schema, document):
                if not isinstance(value, str | float | int) or (isinstance(value, float) and math.isnan(value)):
                    continue
                reply = client.get(path.replace("{job_id}", "job_none"), params={name: value})
                message = messages(reply)[f"/{name}"]
                require_told(message, name, str(value))
                assert "null" not in message
                tried += 1
    assert tried > 20


def test_wrong_fields_of_forms(client: TestClient) -> None:
    sent: list[tuple[str, dict[str, str], str]] = [
        ("/datasets", {"name": "My Pets"}, "name"),
        ("/datasets", {"name": "pets", "layout": "clases"}, "layout"),
        ("/datasets", {"name": "pets", "lay": "flat"}, "lay"),
        ("/translate", {"model": "A B"}, "model"),
        ("/translate", {"direction": "up"}, "direction"),
        ("/translate", {"quality": "0"}, "quality"),
    ]
    for path, data, name in sent:
        found = messages(client.post(path, files={"file": ("a.zip", b"x")}, data=data))
        require_told(found[f"/{name}"], name, data[name])


def test_unknown_parameters_of_every_address(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    tried = 0
    for path, room in client.app.openapi()["paths"].items():
        for method, operation in room.items():
            known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            wrong = f"{known[0]}_" if known else "verbose"
            takes = operation.get("requestBody", {}).get("content", {})
            bodies: list[dict[str, Any]] = [{"json": BODIES[path]}] if "application/json" in takes else []
            bodies += [{"files": {"file": b"x"}}] if "multipart/form-data" in takes else []
            for body in bodies or [{}]:
                message = messages(client.request(method, path, params={wrong: "7"}, **body))[f"/{wrong}"]
                assert message.startswith(f"'{wrong}' ('7') is no field here")
                assert all(name in message for name in known)
                assert not known or f"did you mean '{known[0]}'?" in message
            if method == "get":
                assert client.head(path, params={wrong: "7"}).status_code == 422
            tried += 1
    assert tried > 40


@pytest.mark.parametrize(
    ("path", "good", "wrong", "meant"),
    [
        ("/translate", {"direction": "a2b"}, "directon", "direction"),
        ("/translate", {}, "n", None),
        ("/jobs", {"job": '{"kind": "translate"}'}, "direction", None),
        ("/jobs", {"job": '{"kind": "translate"}'}, "jobs", "job"),
    ],
)
def test_unknown_fields_of_forms(
    client: TestClient, path: str, good: dict[str, str], wrong: str, meant: str | None
) -> None:
    reply = client.post(path, files={"file": ("a.png", b"x")}, data={**good, wrong: "b2a"})
    message = messages(reply)[f"/{wrong}"]
    require_told(message, wrong, "b2a")
    assert (f"did you mean '{meant}'?" in message) is (meant is not None)


@pytest.mark.parametrize("path", ["/translate", "/jobs"])
def test_files_under_an_unknown_name(client: TestClient, path: str) -> None:
    message = messages(client.post(path, files={"fil": ("a.png", b"x")}))["/fil"]
    require_told(message, "fil", "a.png")
    assert "did you mean 'file'?" in message


@pytest.mark.parametrize(
    ("path", "meant"), [("/translate", "send many pictures to POST /jobs"), ("/datasets", "send one zip")]
)
def test_more_files_than_one(client: TestClient, path: str, meant: str) -> None:
    detail = assert_problem(client.post(path, files=[("file", ("a.png", b"x")), ("file", ("b.png", b"x"))]), 400)[
        "detail"
    ]
    assert "at most 1 file here" in detail
    assert meant in detail


@pytest.mark.parametrize("kind", ["trian", 3, None, ["train"], {}])
def test_an_unknown_kind_of_job(client: TestClient, kind: Any) -> None:
    message = messages(client.post("/jobs", json={"kind": kind, "recipe": "gan"}))["/kind"]
    require_told(message, "kind", kind)
    assert "train, evaluate, generate or translate" in message


@pytest.mark.parametrize(
    ("address", "meant"),
    [("/recipes/cycelgan", "cyclegan"), ("/datasets/diggits", "digits"), ("/models/sevns", "sevens"),
     ("/sample?model=sevns", "sevens"), ("/sample?model=sevens@7", "There is no version '7' of 'sevens'")],
)  # fmt: skip
def test_unknown_names_are_told_with_the_nearest(client: TestClient, publish: Any, address: str, meant: str) -> None:
    if client.get("/models/sevens").status_code == 404:
        publish(name="sevens")
    detail = assert_problem(client.get(address), 404)["detail"]
    assert meant in detail
    assert "There" in detail
    assert "/jobs" not in detail, "Who misspells a name wants no training."


def test_an_unknown_class_is_told_with_the_nearest(client: TestClient, publish: Any) -> None:
    publish(dataset="fashion_mnist", name="clothes")
    detail = assert_problem(client.get("/sample?model=clothes&class=sandel"), 422)["detail"]
    assert "did you mean 'Sandal'" in detail
