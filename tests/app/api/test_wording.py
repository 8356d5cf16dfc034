"""Refusals of every field of every request are clear: they name field, value, what is allowed and the nearest name."""

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.schemas.arithmetic import ArithmeticIn
from app.schemas.augmentations import AugmentationIn
from app.schemas.bulk import GenerateIn, TranslateIn
from app.schemas.catalog import ModelIn
from app.schemas.directions import DirectionsIn, EditIn
from app.schemas.experiments import ExperimentIn
from app.schemas.jobs import EvaluateIn, ExtendIn, TrainIn
from app.schemas.judgements import JudgementIn
from app.schemas.links import LinkIn
from app.schemas.samples import DecodeIn
from app.schemas.session import SessionIn
from tests.support.problems import assert_problem
from tests.support.wording import FOREIGN, followed, require_told, wrong_for

ANSWERS = [{"truth": truth, "index": n, "guess": "real", "ms": 900} for n in range(5) for truth in ("real", "fake")]
CASES: dict[str, tuple[type[Any], str, dict[str, Any]]] = {
    "train": (TrainIn, "/jobs", {"recipe": "gan", "dry_run": True}),
    "evaluate": (EvaluateIn, "/jobs", {"kind": "evaluate", "model": "none", "dry_run": True}),
    "generate": (GenerateIn, "/jobs", {"kind": "generate", "n": 3, "dry_run": True}),
    "translate": (TranslateIn, "/jobs", {"kind": "translate", "dataset": "digits", "dry_run": True}),
    "extend": (ExtendIn, "/jobs/job_none/extend", {"budget": {"steps": 3}}),
    "experiment": (ExperimentIn, "/experiments", {"recipe": "gan", "dry_run": True}),
    "decode": (DecodeIn, "/sample", {"model": "none", "latents": [[0.5, -1.5]]}),
    "arithmetic": (ArithmeticIn, "/latent/arithmetic", {"model": "none", "terms": [{"samples": ["1"]}]}),
    "augmentation": (AugmentationIn, "/augmentations", {"dataset": "digits", "per_class": 3, "model": "none"}),
    "directions": (DirectionsIn, "/models/none@1/directions", {"name": "stroke", "kind": "closed_form"}),
    "edit": (EditIn, "/edit", {"model": "none", "samples": ["1"], "moves": [{"stroke": 2}]}),
    "model": (ModelIn, "/models", {"name": "sevens", "checkpoint": "ckpt_none"}),
    "judgement": (JudgementIn, "/models/none@1/judgements", {"seed": 3, "judge": "ada", "answers": ANSWERS}),
    "link": (LinkIn, "/links", {"kind": "job", "target": "job_none"}),
    "session": (SessionIn, "/session", {"key": "a key"}),
}
"""of each body: its type, the path it is sent to, and a valid example"""
JUDGEMENTS = "/models/{name}@{version}/judgements"
DIRECTIONS = "/models/{name}@{version}/directions"
BODIES = {
    path.replace("job_none", "{job_id}").replace("none@1", "{name}@{version}"): valid
    for _, path, valid in CASES.values()
}


def fields(schema: Mapping[str, Any], root: Mapping[str, Any], path_to_field: tuple[str, ...] = ()) -> Iterator[Any]:
    """Yield every field with the path to it, also fields of objects inside."""
    for name, field in schema.get("properties", {}).items():
        node = followed(field, root)
        yield (*path_to_field, name), node
        yield from fields(node, root, (*path_to_field, name))


def messages(reply: Response) -> dict[str, str]:
    """Return the messages of a refusal by pointer; check that none uses words of a library."""
    body = assert_problem(reply, 422)
    assert not [word for word in FOREIGN if word in reply.text], reply.text
    return {error["pointer"]: error["message"] for error in body["errors"]}


def changed(valid: dict[str, Any], path_to_field: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return a copy of the body with one value replaced."""
    body = copy.deepcopy(valid)
    parent = body
    for step in path_to_field[:-1]:
        parent = parent.setdefault(step, {})
    parent[path_to_field[-1]] = value
    return body


def test_cases_cover_every_json_body_of_the_service(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    paths = client.app.openapi()["paths"]
    json_paths = {
        path
        for path, operations in paths.items()
        if "application/json" in str(operations.get("post", {}).get("requestBody"))
    }
    assert json_paths == {
        "/jobs", "/jobs/{job_id}/extend", "/experiments", "/augmentations", "/models", JUDGEMENTS, "/links", "/session",
        "/sample", "/latent/arithmetic", "/edit", DIRECTIONS,
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_invalid_value_in_a_body_is_refused_naming_field_and_value(client: TestClient, case: str) -> None:
    kind, path, valid = CASES[case]
    schema = kind.model_json_schema()
    tried = 0
    for path_to_field, field in fields(schema, schema):
        for value in wrong_for(field, schema):
            if path_to_field == ("kind",) or (isinstance(value, float) and math.isnan(value)):  # JSON has no NaN
                continue
            refusal = messages(client.post(path, json=changed(valid, path_to_field, value)))
            field_messages = {
                pointer: message
                for pointer, message in refusal.items()
                if pointer.startswith("/" + "/".join(path_to_field))
            }
            assert field_messages, (path_to_field, value, refusal)
            if (pointer := "/" + "/".join(path_to_field)) in field_messages:
                require_told(field_messages[pointer], ".".join(path_to_field), value)
            tried += 1
    assert tried >= (3 if path == "/session" else 4)


@pytest.mark.parametrize("case", CASES)
def test_unknown_field_of_a_body_is_refused_with_the_nearest_name(client: TestClient, case: str) -> None:
    kind, path, valid = CASES[case]
    names = kind.model_json_schema()["properties"].keys()
    for name in names:
        unknown = (
            f"{name}_" if any(other.startswith(f"{name}s") or other == f"{name}es" for other in names) else f"{name}s"
        )
        message = messages(client.post(path, json={**valid, unknown: 7}))[f"/{unknown}"]
        require_told(message, unknown, 7)
        assert f"did you mean '{name}'?" in message


def test_invalid_query_parameter_is_refused_naming_it_and_its_value(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    document = client.app.openapi()
    tried = 0
    for path, operations in document["paths"].items():
        for parameter in operations.get("get", {}).get("parameters", ()):
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


def test_invalid_form_field_is_refused_naming_it_and_its_value(client: TestClient) -> None:
    forms: list[tuple[str, dict[str, str], str]] = [
        ("/datasets", {"name": "My Pets"}, "name"),
        ("/datasets", {"name": "pets", "layout": "clases"}, "layout"),
        ("/datasets", {"name": "pets", "lay": "flat"}, "lay"),
        ("/translate", {"model": "A B"}, "model"),
        ("/translate", {"direction": "up"}, "direction"),
        ("/translate", {"quality": "0"}, "quality"),
        ("/upscale", {"model": "A B"}, "model"),
        ("/upscale", {"quality": "101"}, "quality"),
        ("/inpaint", {"quality": "best"}, "quality"),
        ("/inpaint", {"steps": "1001"}, "steps"),
        ("/features", {"format": "csv"}, "format"),
        ("/invert", {"steps": "0"}, "steps"),
        ("/invert", {"restarts": "33"}, "restarts"),
        ("/invert", {"feature_weight": "-1"}, "feature_weight"),
        ("/datasets/digits/nearest", {"n": "0"}, "n"),
        ("/datasets/digits/nearest", {"channels": "2"}, "channels"),
    ]
    for path, data, name in forms:
        refusal = messages(client.post(path, files={"file": ("a.zip", b"x")}, data=data))
        require_told(refusal[f"/{name}"], name, data[name])


def test_unknown_query_parameter_is_refused_with_the_nearest_name(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)
    tried = 0
    for path, operations in client.app.openapi()["paths"].items():
        for method, operation in operations.items():
            known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
            unknown = f"{known[0]}_" if known else "verbose"
            media_types = operation.get("requestBody", {}).get("content", {})
            bodies: list[dict[str, Any]] = [{"json": BODIES[path]}] if "application/json" in media_types else []
            bodies += [{"files": {"file": b"x"}}] if "multipart/form-data" in media_types else []
            for body in bodies or [{}]:
                message = messages(client.request(method, path, params={unknown: "7"}, **body))[f"/{unknown}"]
                assert message.startswith(f"'{unknown}' ('7') is no field here")
                assert all(name in message for name in known)
                assert not known or f"did you mean '{known[0]}'?" in message
            if method == "get":
                assert client.head(path, params={unknown: "7"}).status_code == 422
            tried += 1
    assert tried > 40


@pytest.mark.parametrize(
    ("path", "valid", "unknown", "nearest"),
    [
        ("/translate", {"direction": "a2b"}, "directon", "direction"),
        ("/translate", {}, "n", None),
        ("/jobs", {"job": '{"kind": "translate"}'}, "direction", None),
        ("/jobs", {"job": '{"kind": "translate"}'}, "jobs", "job"),
    ],
)
def test_unknown_form_field_is_refused_with_the_nearest_name(
    client: TestClient, path: str, valid: dict[str, str], unknown: str, nearest: str | None
) -> None:
    reply = client.post(path, files={"file": ("a.png", b"x")}, data={**valid, unknown: "b2a"})
    message = messages(reply)[f"/{unknown}"]
    require_told(message, unknown, "b2a")
    assert (f"did you mean '{nearest}'?" in message) is (nearest is not None)


@pytest.mark.parametrize("path", ["/translate", "/jobs"])
def test_file_under_an_unknown_field_is_refused_with_the_nearest_name(client: TestClient, path: str) -> None:
    message = messages(client.post(path, files={"fil": ("a.png", b"x")}))["/fil"]
    require_told(message, "fil", "a.png")
    assert "did you mean 'file'?" in message


@pytest.mark.parametrize(
    ("path", "alternative"), [("/translate", "send many pictures to POST /jobs"), ("/datasets", "send one zip")]
)
def test_second_file_is_refused_with_the_alternative(client: TestClient, path: str, alternative: str) -> None:
    detail = assert_problem(client.post(path, files=[("file", ("a.png", b"x")), ("file", ("b.png", b"x"))]), 400)[
        "detail"
    ]
    assert "at most 1 file here" in detail
    assert alternative in detail


@pytest.mark.parametrize("kind", ["trian", 3, None, ["train"], {}])
def test_unknown_kind_of_job_is_refused_with_the_list_of_kinds(client: TestClient, kind: Any) -> None:
    message = messages(client.post("/jobs", json={"kind": kind, "recipe": "gan"}))["/kind"]
    require_told(message, "kind", kind)
    assert "train, evaluate, generate or translate" in message


@pytest.mark.parametrize(
    ("path", "nearest"),
    [("/recipes/cycelgan", "cyclegan"), ("/datasets/diggits", "digits"), ("/models/sevns", "sevens"),
     ("/sample?model=sevns", "sevens"), ("/sample?model=sevens@7", "There is no version '7' of 'sevens'")],
)  # fmt: skip
def test_unknown_recipe_dataset_or_model_is_a_404_with_the_nearest_name(
    client: TestClient, publish: Any, path: str, nearest: str
) -> None:
    if client.get("/models/sevens").status_code == 404:
        publish(name="sevens")
    detail = assert_problem(client.get(path), 404)["detail"]
    assert nearest in detail
    assert "There" in detail
    assert "/jobs" not in detail, "A misspelled name is no reason to suggest a training."


def test_unknown_class_is_refused_with_the_nearest_name(client: TestClient, publish: Any) -> None:
    publish(dataset="fashion_mnist", name="clothes")
    detail = assert_problem(client.get("/sample?model=clothes&class=sandel"), 422)["detail"]
    assert "did you mean 'Sandal'" in detail
