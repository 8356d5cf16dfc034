"""POST /latent/arithmetic with real exports: means, sums, classes and their pictures."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from forger import picture_recipe
from tests.app.api.conftest import Publish, publish_all
from tests.support.pictures import pixels
from tests.support.problems import assert_problem

Array = NDArray[Any]
PATH = "/latent/arithmetic"
TERMS: list[dict[str, Any]] = [
    {"samples": ["1.0", "1.4", "2"]},
    {"samples": ["3", "3.1", "3.2"], "weight": -1},
    {"samples": ["5", "6", "7"]},
]


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_all(publish, "points", "narrow", "codes", "night", "plain", "digits")


def add(client: TestClient, **body: Any) -> dict[str, Any]:
    reply = client.post(PATH, json=body)
    assert reply.status_code == 200, reply.text
    summed: dict[str, Any] = reply.json()
    return summed


def drawn(client: TestClient, query: str) -> Array:
    return np.array(client.get(f"/sample?{query}&format=json&latents=true").json()["latents"])


def refusals(client: TestClient, **body: Any) -> dict[str, str]:
    reply = client.post(PATH, content=json.dumps(body), headers={"content-type": "application/json"})
    return {error["pointer"]: error["message"] for error in assert_problem(reply, 422)["errors"]}


def test_result_is_the_weighted_sum_of_the_means(client: TestClient) -> None:
    body = add(client, model="plain", terms=TERMS)
    assert [term["weight"] for term in body["terms"]] == [1, -1, 1]
    assert body["terms"][0]["samples"] == ["1.0", "1.4", "2.0"]
    first = body["terms"][0]
    latents = np.array([code["latent"] for code in first["averaged"]])
    assert (latents[1] == drawn(client, "model=plain&seed=1&n=5")[4]).all()
    assert np.allclose(first["mean"]["latent"], latents.mean(0))
    means = np.array([term["mean"]["latent"] for term in body["terms"]])
    assert np.allclose(body["result"]["latent"], means[0] - means[1] + means[2], atol=1e-6)
    assert not body["normalised"]
    assert add(client, model="plain", terms=TERMS) == body


def test_every_latent_of_the_reply_gives_its_picture_again(client: TestClient) -> None:
    body = add(client, model="digits", terms=[{"samples": ["1:7", "2:7"]}, {"samples": ["3"], "weight": 0.5}])
    codes = [code for term in body["terms"] for code in (*term["averaged"], term["mean"])] + [body["result"]]
    sent = {
        "model": "digits", "format": "npy",
        "latents": [code["latent"] for code in codes], "class_weights": [code["class_weights"] for code in codes],
    }  # fmt: skip
    again = np.load(io.BytesIO(client.post("/sample", json=sent).content))
    assert (np.stack([pixels(code["image"]) for code in codes]) == again[..., 0]).all()
    seven = client.get("/sample?model=digits&seed=1&class=7").content
    assert (pixels(codes[0]["image"]) == pixels(seven)).all()


def test_one_sample_is_its_own_sum(client: TestClient) -> None:
    body = add(client, model="plain", terms=[{"samples": ["5.3"]}])
    assert body["result"] == body["terms"][0]["mean"] == body["terms"][0]["averaged"][0]
    recipe = picture_recipe(base64.b64decode(body["result"]["image"]))
    assert recipe is not None
    assert recipe["latent"] == body["result"]["latent"]


def test_samples_and_latents_are_averaged_together(client: TestClient) -> None:
    latent = [0.5] * 100
    body = add(client, model="plain", terms=[{"samples": ["1"], "latents": [latent], "weight": 2}])
    expected = drawn(client, "model=plain&seed=1")[0] + np.array(latent)
    assert np.allclose(body["result"]["latent"], expected, atol=1e-6)


@pytest.mark.parametrize(("model", "length"), [("plain", 10), ("narrow", 10 / 3**0.5)])
def test_normalised_result_has_the_length_of_draws(client: TestClient, model: str, length: float) -> None:
    body = add(client, model=model, terms=TERMS, normalise=True)
    assert np.linalg.norm(body["result"]["latent"]) == pytest.approx(length, rel=1e-5)
    plain = np.array(add(client, model=model, terms=TERMS)["result"]["latent"])
    assert np.allclose(body["result"]["latent"], plain * length / np.linalg.norm(plain), atol=1e-5)


def test_classes_are_summed_unless_one_is_requested(client: TestClient) -> None:
    def classes(*terms: tuple[str, float], **body: Any) -> dict[int, float]:
        sent = [{"samples": [name], "weight": weight} for name, weight in terms]
        weights = add(client, model="digits", terms=sent, **body)["result"]["class_weights"]
        return {number: weight for number, weight in enumerate(weights) if weight}

    assert classes(("1:7", 1), ("2:7", -1), ("3:3", 1)) == {3: 1}
    assert classes(("1:7", 1), ("2:1", -1), ("3:3", 1)) == {3: 0.5, 7: 0.5}
    assert classes(("1:7", 1), ("2:1", -1), ("3:3", 1), **{"class": "9"}) == {9: 1}
    cancelled = [{"samples": ["1:7"]}, {"samples": ["2:7"], "weight": -1}]
    assert "/class" in refusals(client, model="digits", terms=cancelled)


def test_figure_has_a_column_for_each_term_with_its_mean_below(client: TestClient) -> None:
    body = add(client, model="plain", terms=TERMS, scale=2)
    reply = client.post(PATH, json={"model": "plain", "terms": TERMS, "scale": 2}, headers={"accept": "image/png"})
    assert reply.headers["content-type"] == "image/png"
    figure = pixels(reply.content)
    assert figure.shape == (4 * 34 - 2, 4 * 34 - 2)
    assert (figure[34:66, 34:66] == pixels(body["terms"][1]["averaged"][1]["image"])).all()
    assert (figure[102:134, 34:66] == pixels(body["terms"][1]["mean"]["image"])).all()
    assert (figure[102:134, 102:134] == pixels(body["result"]["image"])).all()
    assert (figure[:100, 102:134] == 128).all()
    recipe = picture_recipe(reply.content)
    assert recipe is not None
    assert recipe["terms"][1] == {"weight": -1.0, "samples": ["3.0", "3.1", "3.2"], "latents": 0}
    singles = [{"samples": [str(seed)]} for seed in range(3)]
    row = client.post(PATH, json={"model": "plain", "terms": singles, "format": "png"})
    assert pixels(row.content).shape == (16, 4 * 17 - 1)


def test_autoencoder_adds_latents_but_has_no_samples(client: TestClient) -> None:
    body = add(client, model="codes", terms=[{"latents": [[0.5] * 32]}, {"latents": [[0.25] * 32], "weight": -1}])
    assert body["result"]["latent"] == [0.25] * 32
    assert "write `latents`" in refusals(client, model="codes", terms=TERMS)["/terms/0/samples"]
    assert "/normalise" in refusals(client, model="codes", terms=[{"latents": [[0.5] * 32]}], normalise=True)


def test_wrong_terms_are_refused_at_their_place(client: TestClient) -> None:
    def refused(pointer: str, *terms: Any, model: str = "plain", **body: Any) -> str:
        found = refusals(client, model=model, terms=list(terms), **body)
        assert pointer in found, found
        return found[pointer]

    good: dict[str, Any] = {"samples": ["1"]}
    assert refused("/terms")
    assert refused("/terms", *[good] * 17)
    assert "empty" in refused("/terms/1", good, {"weight": 3})
    for weight in (float("nan"), float("inf"), 101, -101, "1", None):
        assert refused("/terms/0/weight", {**good, "weight": weight})
    for name in ("x", "1:", "1.x", "", 1, None):
        assert refused("/terms/0/samples/1", {"samples": ["1", name]})
    assert refused("/terms/0/samples/0", {"samples": ["1:3"]})
    assert refused("/terms/0/latents/0", {"latents": [[0.5] * 99]})
    assert refused("/terms/0/latents/0/3", {"latents": [[0.5] * 3 + [float("nan")] * 97]})
    assert refused("/terms/0/class", {**good, "class": "3"})
    assert refused("/terms/0/class", {"latents": [[0.5] * 64]}, model="digits")
    assert "beyond" in refused("/terms", {"latents": [[9000.0] * 100], "weight": 2})
    assert "cancel" in refused("/terms", good, {**good, "weight": -1}, normalise=True)
    assert refused("/terms", {"samples": [str(seed) for seed in range(1000)]})
    assert refused("/scale", *[{"samples": [str(seed) for seed in range(10)]}] * 16, scale=16)
    assert refused("/class", good, **{"class": "3"})
    for model in ("night", "points"):
        assert refused("/model", {"samples": ["1"]}, model=model)
