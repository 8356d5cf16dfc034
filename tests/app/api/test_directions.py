"""Directions of latent spaces and POST /edit on models with weights: what is found, kept, moved and refused."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.limits import MAX_DIRECTIONS
from app.services.models import directions as kept_directions
from tests.app.api.conftest import Publish
from tests.support.databases import sqlite_only
from tests.support.pictures import pixels
from tests.support.problems import assert_problem

pytestmark = sqlite_only
Array = NDArray[Any]
SIZE = 64
"""numbers of a latent of dcgan on digits"""


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("dcgan", "digits", name="plain", latent={"size": SIZE})
    publish("dcgan", "digits", name="other")
    publish("cdcgan", "digits", name="classes")
    publish("biggan", "digits", name="big", generator={"width": 8}, critic={"width": 8})
    publish("autoencoder", "digits", name="auto")
    publish("gan", "ring8", name="ring")
    publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1})


def post(client: TestClient, model: str = "plain", **body: Any) -> Any:
    return client.post(f"/models/{model}@1/directions", json={name.rstrip("_"): value for name, value in body.items()})


def found(client: TestClient, model: str = "plain", **body: Any) -> list[Any]:
    reply = post(client, model, **body)
    assert reply.status_code == 201, reply.text
    assert reply.headers["location"] == f"/models/{model}@1/directions"
    return list(reply.json()["data"])


def edited(client: TestClient, **body: Any) -> Any:
    reply = client.post("/edit", json={"model": "plain", **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("model", ["plain", "classes", "big", "auto"])
@pytest.mark.parametrize("kind", ["closed_form", "principal"])
def test_directions_without_labels_are_unit_vectors_the_strongest_first(
    client: TestClient, model: str, kind: str
) -> None:
    data = found(client, model, name=kind, kind=kind, n=5)
    assert [one["name"] for one in data] == [f"{kind}-{number}" for number in range(1, len(data) + 1)]
    assert [one["source"]["rank"] for one in data] == [1, 2, 3, 4, 5]
    vectors = np.array([one["vector"] for one in data])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    strengths = [one["strength"] for one in data]
    assert strengths == sorted(strengths, reverse=True)
    assert (np.abs(vectors).max(1) == vectors.max(1)).all(), "the sign is fixed"
    if kind == "closed_form":
        assert vectors @ vectors.T == pytest.approx(np.eye(len(data)), abs=1e-4)
    kept = client.get(f"/models/{model}@1/directions").json()
    assert (kept["model"], kept["data"][-len(data) :]) == (f"{model}@1", data)


def test_closed_form_is_that_of_the_first_layers_weight(client: TestClient) -> None:
    """The strongest direction changes pictures more than the weakest does."""
    data = found(client, name="all", kind="closed_form", n=32)
    first, last = data[0], data[-1]
    body = edited(client, samples=["1", "2", "3"], moves=[{}, {first["name"]: 0.1}, {last["name"]: 0.1}])
    changes = [
        [np.abs(pixels(row[0]["image"]).astype(float) - pixels(one["image"])).sum() for one in row[1:]]
        for row in body["rows"]
    ]
    strongest, weakest = np.array(changes).sum(0)
    assert strongest > weakest


def test_direction_between_means_leads_from_one_group_to_the_other(client: TestClient) -> None:
    latents = [[float(number + column) for column in range(SIZE)] for number in range(4)]
    (one,) = found(client, name="up", kind="means", from_={"latents": latents[:2]}, to={"latents": latents[2:]})
    assert one["vector"] == pytest.approx([SIZE**-0.5] * SIZE)
    assert one["strength"] == pytest.approx(2 * SIZE**0.5)
    assert one["source"] == {"from": {"samples": [], "latents": 2}, "to": {"samples": [], "latents": 2}}
    (by_samples,) = found(client, name="by-samples", kind="means", from_={"samples": ["1"]}, to={"samples": ["2"]})
    sent = client.get("/sample", params={"model": "plain", "seed": 2, "latents": True, "format": "json"}).json()
    moved = edited(client, samples=["1"], moves=[{"by-samples": by_samples["strength"]}])["rows"][0][0]
    assert moved["latent"] == pytest.approx(sent["latents"][0], abs=1e-4)


def test_moved_latents_generate_the_pictures_and_equal_requests_give_equal_bytes(client: TestClient) -> None:
    (one, two) = found(client, name="pair", kind="closed_form", n=2)
    body = {"model": "plain", "samples": ["1.2"], "latents": [[0.5] * SIZE], "moves": [{}, {"pair-1": 2, "pair-2": -1}]}
    reply = edited(client, **body)
    assert [len(row) for row in reply["rows"]] == [2, 2]
    expected = 0.5 + 2 * np.array(one["vector"]) - np.array(two["vector"])
    assert reply["rows"][1][1]["latent"] == pytest.approx(expected, abs=1e-5)
    latents = [code["latent"] for row in reply["rows"] for code in row]
    drawn = client.post("/sample", json={"model": "plain", "latents": latents, "format": "json"}).json()["images"]
    for image, code in zip(drawn, (code for row in reply["rows"] for code in row), strict=True):
        assert (pixels(image) == pixels(code["image"])).all()
    pictures = [client.post("/edit", json=body, headers={"Accept": "image/png"}).content for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert Image.open(io.BytesIO(pictures[0])).size == (2 * 16 + 1, 2 * 16 + 1)


def test_edit_keeps_the_class(client: TestClient) -> None:
    found(client, "classes", name="classed", kind="principal", n=1)
    rows = edited(client, model="classes", samples=["1:7", "2"], moves=[{"classed": 1}], **{"class": "3"})["rows"]
    assert [int(np.argmax(row[0]["class_weights"])) for row in rows] == [7, 3]


def test_directions_belong_to_one_version_and_can_be_deleted(client: TestClient) -> None:
    found(client, name="gone", kind="principal", n=1)
    body = assert_problem(client.post("/edit", json={"model": "other", "samples": ["1"], "moves": [{"gone": 1}]}), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("no_direction", "/moves/0/gone")
    assert client.delete("/models/plain@1/directions/gone").status_code == 204
    assert_problem(client.delete("/models/plain@1/directions/gone"), 404)
    assert "gone" not in [one["name"] for one in client.get("/models/plain@1/directions").json()["data"]]


def test_name_that_is_taken_is_refused_and_nothing_is_kept(client: TestClient) -> None:
    found(client, name="twice-2", kind="principal", n=1)
    before = client.get("/models/plain@1/directions").json()
    body = assert_problem(post(client, name="twice", kind="closed_form", n=3), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("direction_exists", "/name")
    assert client.get("/models/plain@1/directions").json() == before


def test_too_many_directions_are_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {row["name"]: row["value"] for row in client.get("/limits").json()["data"]}["directions"] == MAX_DIRECTIONS
    monkeypatch.setattr(kept_directions, "MAX_DIRECTIONS", 2)
    found(client, "other", name="two", kind="principal", n=2)
    assert assert_problem(post(client, "other", name="third", kind="principal", n=1), 409)["code"] == (
        "too_many_directions"
    )


def test_unusable_directions_are_refused(client: TestClient) -> None:
    group = {"samples": ["1"]}
    for body, pointer in (
        ({"kind": "means"}, "/from"),
        ({"kind": "means", "from": group}, "/to"),
        ({"kind": "means", "from": group, "to": {}}, "/to"),
        ({"kind": "means", "from": group, "to": group}, "/to"),
        ({"kind": "means", "from": group, "to": {"latents": [[1.0]]}}, "/to/latents/0"),
        ({"kind": "principal", "from": group}, "/from"),
        ({"kind": "principal", "n": 33}, "/n"),
        ({"kind": "smile"}, "/kind"),
    ):
        problem = assert_problem(post(client, name="bad", **body), 422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    problem = assert_problem(
        post(client, "auto", name="bad", kind="means", **{"from": group, "to": {"samples": ["2"]}}), 422
    )
    assert problem["code"] == "model_cannot"
    for model in ("ring", "night"):
        assert assert_problem(post(client, model, name="bad", kind="principal"), 422)["code"] == "model_cannot"
    assert_problem(post(client, "nobody", name="bad", kind="principal"), 404)
    assert_problem(client.get("/models/nobody@1/directions"), 404)
    assert "bad" not in client.get("/models/plain@1/directions").text


def test_unusable_edits_are_refused(client: TestClient) -> None:
    found(client, name="fine", kind="principal", n=1)
    for body, pointer in (
        ({"samples": ["1"], "moves": []}, "/moves"),
        ({"samples": ["1"], "moves": [{}] * 65}, "/moves"),
        ({"samples": ["1"], "moves": [{"fine": 1001}]}, "/moves/0/fine"),
        ({"moves": [{"fine": 1}]}, "/samples"),
        ({"latents": [[1.0]], "moves": [{"fine": 1}]}, "/latents/0"),
        ({"latents": [[10_000.0] * SIZE], "moves": [{"fine": 1000}]}, "/moves"),
        ({"samples": ["1"], "moves": [{"unknown": 1}]}, "/moves/0/unknown"),
    ):
        problem = assert_problem(client.post("/edit", json={"model": "plain", **body}), 422)
        assert [error["pointer"] for error in problem["errors"]] == [pointer]
    latents = {"model": "classes", "latents": [[0.0] * SIZE], "moves": [{}]}
    assert assert_problem(client.post("/edit", json=latents), 422)["errors"][0]["pointer"] == "/class"
