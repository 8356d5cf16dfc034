"""POST /invert on models that really learned, for a few steps: found latents, progress, and what is refused."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from tests.app.api.conftest import Publish
from tests.support.databases import sqlite_only
from tests.support.trained_models import publish_trained
from tests.support.zips import noise, saved

pytestmark = sqlite_only
Array = NDArray[Any]
NARROW: dict[str, Any] = {"generator": {"width": 8}, "critic": {"width": 8}, "watch": None}
FAMILIES: dict[str, dict[str, Any]] = {
    "dcgan": NARROW,
    "cdcgan": NARROW,
    "gan": {"watch": None},
    "progan": NARROW,
    "minibatch": NARROW,
    "vae": {"watch": None},
    "autoencoder": {"watch": None},
}


@pytest.fixture(scope="module", autouse=True)
def jobs(publish: Publish) -> dict[str, str]:
    """Publish a model of each family; return the ids of their jobs."""
    publish("gan", "ring8", name="ring")
    publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1})
    return {family: publish_trained(family, "digits", family, 30, **changes)[1] for family, changes in FAMILIES.items()}


def sent(client: TestClient, picture: bytes, *, accept: str = "application/json", **fields: Any) -> Any:
    return client.post("/invert", files={"file": ("a.png", picture)}, data=fields, headers={"Accept": accept})


def found(client: TestClient, picture: bytes, **fields: Any) -> Any:
    reply = sent(client, picture, **fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def pixels(png: str | bytes) -> Array:
    data = base64.b64decode(png) if isinstance(png, str) else png
    return np.asarray(Image.open(io.BytesIO(data))).astype(float)


def drawn(client: TestClient, **query: Any) -> bytes:
    reply = client.get("/sample", params={"seed": 5, "format": "png", **query})
    assert reply.status_code == 200, reply.text
    return reply.content


def test_sample_of_the_model_is_recovered(client: TestClient) -> None:
    body = found(client, drawn(client, model="dcgan"), model="dcgan", steps=300)
    assert body["psnr"] is None or body["psnr"] > 30
    assert (body["start"], body["feature_weight"], body["attempts"], body["steps"]) == ("random", 0.1, 8, 300)
    assert (body["class"], body["classes"], body["seed"]) == (None, [None], 0)


def test_reply_measures_its_pictures_and_the_latent_generates_the_picture(client: TestClient) -> None:
    body = found(client, saved(noise(20, 20, 1)), model="cdcgan", steps=20)
    one, other = pixels(body["target"]), pixels(body["image"])
    assert body["mse"] == pytest.approx(np.square((one - other) / 255).mean())
    assert body["psnr"] == pytest.approx(-10 * np.log10(body["mse"]))
    latents = {name: body[name] for name in ("model", "latents", "classes")}
    picture = client.post("/sample", json=latents, headers={"Accept": "image/png"}).content
    assert (pixels(picture) == other).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_more_steps_come_nearer_and_equal_requests_give_equal_bytes(client: TestClient, family: str) -> None:
    picture = saved(noise(20, 20, 1))
    few = found(client, picture, model=family, steps=1, restarts=2)
    many = sent(client, picture, model=family, steps=60, restarts=2)
    assert many.json()["mse"] < few["mse"]
    assert many.content == sent(client, picture, model=family, steps=60, restarts=2).content
