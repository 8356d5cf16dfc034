"""GET /sample gives latents and POST /sample takes them, with real exports."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from forger import picture_recipe
from tests.app.api.conftest import Publish, publish_all
from tests.support.problems import assert_problem

PNG = {"accept": "image/png"}


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_all(publish, "points", "brackets", "codes", "night", "plain", "digits")


def drawn(client: TestClient, query: str) -> dict[str, Any]:
    reply = client.get(f"/sample?{query}&format=json&latents=true")
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.json()
    return body


def decode(client: TestClient, **body: Any) -> Any:
    reply = client.post("/sample", json=body)
    assert reply.status_code == 200, reply.text
    return reply


def refusal(client: TestClient, pointer: str, **body: Any) -> str:
    """Return the sentence of a refusal at the pointer."""
    # httpx writes no NaN.
    reply = client.post("/sample", content=json.dumps(body), headers={"content-type": "application/json"})
    errors = {error["pointer"]: error["message"] for error in assert_problem(reply, 422)["errors"]}
    assert pointer in errors, errors
    message: str = errors[pointer]
    return message


@pytest.mark.parametrize("query", ["model=plain&n=5&seed=3", "model=points&n=5&seed=3", "model=brackets&n=5&seed=3"])
def test_latents_of_a_seed_give_its_samples_again(client: TestClient, query: str) -> None:
    body = drawn(client, query)
    again = decode(client, model=body["model"], latents=body["latents"], format="npy").content
    assert again == client.get(f"/sample?{query}&format=npy").content
    assert body["classes"] == [None] * 5
    sent = {name: body[name] for name in ("model", "latents", "classes")}
    assert decode(client, **sent, format="npy").content == again, "the reply's fields are the request's"


def test_latents_and_classes_of_a_seed_give_its_samples_again(client: TestClient) -> None:
    body = drawn(client, "model=digits&n=6&seed=3")
    weights = np.eye(10)[body["classes"]].tolist()
    sampled = client.get("/sample?model=digits&n=6&seed=3&format=npy").content
    for classes in ({"class_weights": weights}, {"classes": body["classes"]}):
        assert decode(client, model="digits", latents=body["latents"], **classes, format="npy").content == sampled
    sevens = drawn(client, "model=digits&class=7&n=6&seed=3")
    assert sevens["latents"] == body["latents"], "the class changes no latent"
    assert sevens["classes"] == [7] * 6
    seven = decode(client, model="digits", latents=body["latents"], **{"class": "7"}, format="npy")
    assert seven.content == client.get("/sample?model=digits&class=7&n=6&seed=3&format=npy").content
    assert seven.headers["x-forger-class"] == "7"
    assert seven.headers["cache-control"] == "no-store"


def test_latents_follow_temperature_and_truncation(client: TestClient) -> None:
    latents = np.array(drawn(client, "model=plain&n=40&seed=3")["latents"])
    assert 3 < np.abs(latents).max() < 6
    halved = np.array(drawn(client, "model=plain&n=40&seed=3&temperature=0.5")["latents"])
    assert np.allclose(halved, latents / 2)
    truncated = np.array(drawn(client, "model=plain&n=40&seed=3&truncation=0.5")["latents"])
    inside = np.abs(latents) <= 0.5
    assert (truncated[inside] == latents[inside]).all()
    assert np.abs(truncated).max() <= 0.5
    assert truncated.std() > 0.25, "resampled, not clipped"
    assert (drawn(client, "model=plain&n=1&seed=3&truncation=0.5")["latents"][0] == truncated[0]).all()
    different = client.get("/sample?model=plain&n=4&seed=3&truncation=0.5")
    assert different.content != client.get("/sample?model=plain&n=4&seed=3").content
    assert different.headers["etag"] != client.get("/sample?model=plain&n=4&seed=3").headers["etag"]


def test_replies_without_the_new_parameters_have_no_new_fields(client: TestClient) -> None:
    body = client.get("/sample?model=plain&seed=1&format=json").json()
    assert body.keys() == {"model", "seed", "class", "images"}
    recipe = picture_recipe(client.get("/sample?model=plain&seed=1").content)
    assert recipe is not None
    assert "truncation" not in recipe
    truncated = picture_recipe(client.get("/sample?model=plain&seed=1&truncation=0.5").content)
    assert truncated == recipe | {"truncation": 0.5}


def test_picture_of_a_latent_carries_it(client: TestClient) -> None:
    latents = drawn(client, "model=plain&n=2&seed=3")["latents"]
    reply = decode(client, model="plain", latents=latents, format="json").json()
    assert reply.keys() == {"model", "class", "images"}
    recipes = [picture_recipe(base64.b64decode(image)) for image in reply["images"]]
    assert [recipe and recipe["latent"] for recipe in recipes] == latents
    whole = client.post("/sample", json={"model": "plain", "latents": latents}, headers=PNG)
    assert Image.open(io.BytesIO(whole.content)).size == (33, 16)
    recipe = picture_recipe(whole.content)
    assert recipe is not None
    assert "latent" not in recipe


def test_class_weights_mix_classes(client: TestClient) -> None:
    latents = drawn(client, "model=digits&class=3&n=1&seed=1")["latents"]
    mixed = [[0.0] * 3 + [0.5] + [0.0] * 3 + [0.5, 0.0, 0.0]]
    pictures = {
        decode(client, model="digits", latents=latents, format="npy", **classes).content
        for classes in ({"class": "3"}, {"class": "7"}, {"class_weights": mixed})
    }
    assert len(pictures) == 3


def test_an_autoencoder_takes_latents_although_it_draws_none(client: TestClient) -> None:
    assert client.get("/sample?model=codes").status_code == 422
    reply = decode(client, model="codes", latents=[[0.5] * 32], format="npy")
    assert np.load(io.BytesIO(reply.content)).shape == (1, 16, 16, 1)


def test_wrong_latents_are_refused_at_their_place(client: TestClient) -> None:
    good = [0.0] * 100
    assert "write the 100 of plain@1" in refusal(client, "/latents/1", model="plain", latents=[good, [0.0] * 99])
    for bad in (float("nan"), float("inf"), -float("inf"), 10_001, "1", None, True):
        assert refusal(client, "/latents/0/2", model="plain", latents=[[0, 1, bad, *good[3:]]])
    no_latents: list[Any] = [[], 3, None, "x"]
    for latents in no_latents:
        assert refusal(client, "/latents", model="plain", latents=latents)
    assert refusal(client, "/latents/0", model="plain", latents=[[]])
    assert "20000 values" in refusal(client, "", model="plain", latents=[good] * 201)
    limit = get_settings().max_samples
    assert str(limit) in refusal(client, "/latents", model="points", latents=[[0.0, 0.0]] * (limit + 1))
    assert "no latent vector" in refusal(client, "/model", model="night", latents=[good])
    assert "has no classes" in refusal(client, "/class", model="plain", latents=[good], **{"class": "1"})


def test_wrong_classes_are_refused_at_their_place(client: TestClient) -> None:
    latents, even = [[0.0] * 64], [[0.1] * 10]
    assert "has classes" in refusal(client, "/class", model="digits", latents=latents)
    assert refusal(client, "/class", model="digits", latents=latents, **{"class": "each"})
    both = {"class": "1", "class_weights": even}
    assert "leave one" in refusal(client, "/class_weights", model="digits", latents=latents, **both)
    for pointer, rows in (
        ("/class_weights", even * 2),
        ("/class_weights/0", [[0.1] * 9]),
        ("/class_weights/0", [[0.2] * 10]),
        ("/class_weights/0/1", [[0.5, float("nan"), 0.5, *[0.0] * 7]]),
        ("/class_weights/0/1", [[0.5, -1.0, 0.5, *[0.0] * 7]]),
    ):
        assert refusal(client, pointer, model="digits", latents=latents, class_weights=rows)
    assert refusal(client, "/class_weights", model="plain", latents=[[0.0] * 100], class_weights=even)
    assert refusal(client, "/classes", model="digits", latents=latents, classes=[1], **{"class": "1"})
    numbers: list[tuple[str, Any]] = [
        ("/classes", [1, 2]), ("/classes/0", [10]), ("/classes/0", [-1]), ("/classes/0", ["each"]),
        ("/classes/0", [None]),
    ]  # fmt: skip
    for pointer, classes in numbers:
        assert refusal(client, pointer, model="digits", latents=latents, classes=classes)
    assert refusal(client, "/classes/0", model="plain", latents=[[0.0] * 100], classes=[0])


def test_latents_come_in_json_only(client: TestClient) -> None:
    for query in ("model=plain&latents=true", "model=plain&latents=true&format=npy"):
        problem = assert_problem(client.get(f"/sample?{query}"), 422)
        assert problem["errors"][0]["pointer"] == "/latents"
    for truncation in ("0.01", "nan", "inf", "11", "-1", "much"):
        problem = assert_problem(client.get(f"/sample?model=plain&truncation={truncation}"), 422)
        assert problem["errors"][0]["pointer"] == "/truncation"
