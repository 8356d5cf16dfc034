"""The classes of latents that are sent: every request that takes latents takes them in the same three ways."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from tests.app.api.conftest import Publish, publish_all
from tests.support.databases import sqlite_only
from tests.support.pictures import pixels
from tests.support.problems import assert_problem
from tests.support.zips import picture, zipped

pytestmark = sqlite_only
Array = NDArray[Any]
Body = dict[str, Any]
Wrap = Callable[[Body], Body]
REQUESTS: dict[str, tuple[Wrap, Callable[[Any], list[str]], str]] = {
    "/sample": (lambda codes: codes | {"format": "json"}, lambda reply: reply["images"], ""),
    "/edit": (
        lambda codes: codes | {"moves": [{}]},
        lambda reply: [row[0]["image"] for row in reply["rows"]],
        "",
    ),
    "/latent/arithmetic": (
        lambda codes: {"model": codes.pop("model"), "terms": [codes]},
        lambda reply: [code["image"] for code in reply["terms"][0]["averaged"]],
        "/terms/0",
    ),
}
"""of each path: how latents are put into its body, where their pictures are in its reply, and where pointers begin"""
every_path = pytest.mark.parametrize("path", REQUESTS)
LATENT = [0.5] * 64
EVEN = [0.1] * 10


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_all(publish, "plain", "digits")


def pictures(client: TestClient, path: str, **codes: Any) -> list[Array]:
    """Return the pictures of the latents, one for each."""
    wrap, images, _ = REQUESTS[path]
    reply = client.post(path, json=wrap(codes))
    assert reply.status_code == 200, reply.text
    return [pixels(image) for image in images(reply.json())]


@every_path
@pytest.mark.parametrize("model", ["digits", "plain"])
def test_latents_and_classes_of_a_reply_are_taken_together(client: TestClient, path: str, model: str) -> None:
    body = client.get(f"/sample?model={model}&n=5&seed=3&format=json&latents=true").json()
    sent = {name: body[name] for name in ("model", "latents", "classes")}
    drawn = np.load(io.BytesIO(client.get(f"/sample?model={model}&n=5&seed=3&format=npy").content))
    assert (np.stack(pictures(client, path, **sent)) == drawn[..., 0]).all()


@every_path
def test_class_is_a_number_or_text(client: TestClient, path: str) -> None:
    codes = {"model": "digits", "latents": [LATENT]}
    ways: list[Body] = [
        {"class": 7}, {"class": "7"}, {"classes": [7]}, {"classes": ["7"]}, {"class_weights": np.eye(10)[[7]].tolist()},
    ]  # fmt: skip
    first, *others = [pictures(client, path, **codes, **way)[0] for way in ways]
    assert all((other == first).all() for other in others)
    assert (pictures(client, path, **codes, **{"class": 3})[0] != first).any()


def test_class_of_a_sum_is_a_number_or_text(client: TestClient) -> None:
    body = {"model": "digits", "terms": [{"latents": [LATENT], "class": 3}]}
    sums = [client.post("/latent/arithmetic", json=body | {"class": wanted}).json() for wanted in (7, "7")]
    assert sums[0] == sums[1]
    assert sums[0]["result"]["class_weights"] == np.eye(10)[7].tolist()


@pytest.mark.parametrize("path", ["/edit", "/latent/arithmetic"])
def test_samples_beside_latents_with_classes_of_their_own_keep_theirs(client: TestClient, path: str) -> None:
    shown = pictures(client, path, model="digits", samples=["1:7"], latents=[LATENT], classes=[3])
    (alone,) = pictures(client, path, model="digits", samples=["1:7"])
    (latent,) = pictures(client, path, model="digits", latents=[LATENT], classes=[3])
    assert (shown[0] == alone).all()
    assert (shown[1] == latent).all()


@every_path
def test_wrong_classes_of_latents_are_refused_at_their_place(client: TestClient, path: str) -> None:
    wrap, _, inside = REQUESTS[path]
    wrong: list[tuple[str, Body, str]] = [
        ("/class", {}, "write `class` for all latents, or `classes` with one for each"),
        ("/class", {"class": True}, "write a whole number"),
        ("/class", {"class": -1}, "write a whole number"),
        ("/class", {"class": 1.5}, "write a whole number"),
        ("/class", {"class": 10}, "There is no class '10'; ask for 0 to 9."),
        ("/class", {"class": "10"}, "There is no class '10'; ask for 0 to 9."),
        ("/classes", {"class": 1, "classes": [1]}, "leave one of them out"),
        ("/class_weights", {"classes": [1], "class_weights": [EVEN]}, "leave one of them out"),
        ("/classes", {"classes": []}, "There are 0 classes for 1 latents"),
        ("/classes/0", {"classes": [None]}, "write a number or a name"),
        ("/classes/0", {"classes": [10]}, "There is no class '10'"),
        ("/classes/0", {"classes": [True]}, "write a whole number"),
        ("/class_weights", {"class_weights": [EVEN, EVEN]}, "There are 2 rows of weights for 1 latents"),
        ("/class_weights/0", {"class_weights": [[0.5] * 10]}, "sum to 5"),
    ]
    for pointer, classes, words in wrong:
        reply = client.post(path, json=wrap({"model": "digits", "latents": [LATENT], **classes}))
        messages = {error["pointer"]: error["message"] for error in assert_problem(reply, 422)["errors"]}
        assert words in messages[inside + pointer], (classes, messages)
    for field, value in (("class", 1), ("classes", [1]), ("class_weights", [EVEN])):
        reply = client.post(path, json=wrap({"model": "plain", "latents": [[0.5] * 100], field: value}))
        (error,) = assert_problem(reply, 422)["errors"]
        assert error["pointer"].startswith(f"{inside}/{field}")
        assert f"has no classes: leave `{field}` out." in error["message"]


@every_path
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_latents_that_are_not_finite_are_refused(client: TestClient, path: str, number: str) -> None:
    wrap, _, _ = REQUESTS[path]
    body = json.dumps(wrap({"model": "plain", "latents": [[12345.5, *[0.5] * 99]]})).replace("12345.5", number)
    reply = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422), reply.text


@every_path
def test_model_of_one_class_is_one_without_classes(client: TestClient, publish: Publish, path: str) -> None:
    files = {"file": ("x.zip", zipped({f"cat/{number}.png": picture(number) for number in range(4)}))}
    name = f"one-class{path.replace('/', '-')}"
    assert client.post("/datasets", files=files, data={"name": name}).status_code == 201
    refusal = client.post("/jobs", json={"recipe": "cdcgan", "dataset": name, "dry_run": True}).json()["refusals"][0]
    assert "has no class labels" in refusal["message"]
    model, latents = publish("dcgan", name, name=name), [[0.5] * 100]
    assert len(pictures(client, path, model=model, latents=latents)) == 1
    wrap, _, inside = REQUESTS[path]
    reply = client.post(path, json=wrap({"model": model, "latents": latents, "class": 0}))
    (error,) = assert_problem(reply, 422)["errors"]
    assert (error["pointer"], "has no classes" in error["message"]) == (f"{inside}/class", True)


@pytest.mark.parametrize("path", ["/edit", "/latent/arithmetic"])
def test_classes_without_latents_are_for_none(client: TestClient, path: str) -> None:
    wrap, _, inside = REQUESTS[path]
    for field, rows in (("classes", [1]), ("class_weights", [EVEN])):
        reply = client.post(path, json=wrap({"model": "digits", "samples": ["1"], field: rows}))
        assert assert_problem(reply, 422)["errors"][0]["pointer"] == f"{inside}/{field}"
        assert len(pictures(client, path, model="digits", samples=["1"], **{field: []})) == 1


def test_document_says_that_a_class_is_a_number_or_text(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for body in ("DecodeIn", "EditIn", "TermIn", "ArithmeticIn"):
        kinds = [arm["type"] for arm in schemas[body]["properties"]["class"]["anyOf"]]
        assert kinds == ["integer", "string", "null"], body
