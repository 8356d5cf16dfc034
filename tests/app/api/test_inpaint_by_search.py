"""POST /inpaint by generators that really learned, for a few steps: what is kept, what is found, what is refused."""

import io
import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from forger import picture_recipe
from forger.wire import VERSION
from tests.app.api.conftest import Publish
from tests.app.api.test_inpaint_and_upscale import mask_of
from tests.support.databases import sqlite_only
from tests.support.pictures import pixels
from tests.support.problems import assert_problem
from tests.support.trained_models import NARROW, publish_each, publish_trained
from tests.support.zips import noise, saved
from worker.training.trainer import Trainer

pytestmark = sqlite_only
Array = NDArray[Any]
SIDE = 16
FAMILIES: dict[str, dict[str, Any]] = {
    "dcgan": NARROW,
    "cdcgan": NARROW,
    "gan": {"watch": None},
    "vae": {"watch": None},
}
STREAM, JSON = "text/event-stream", "application/json"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    """Publish a translator that fills holes, and after it a generator of each family."""
    publish("inpaint", "digits", name="holes", generator={"width": 4, "blocks": 1})
    publish("gan", "ring8", name="ring")
    publish_each(FAMILIES, steps=30)


def sent(
    client: TestClient, picture: Image.Image, mask: Image.Image | None = None, *, accept: str = JSON, **fields: Any
) -> Any:
    parts = {"file": ("a.png", saved(picture)), "mask": ("m.png", saved(mask or mask_of(*picture.size)))}
    data = {name.rstrip("_"): value for name, value in fields.items()}
    return client.post("/inpaint", files=parts, data=data, headers={"Accept": accept})


def found(client: TestClient, picture: Image.Image, mask: Image.Image | None = None, **fields: Any) -> Any:
    reply = sent(client, picture, mask, **fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


def drawn(client: TestClient, **query: Any) -> Image.Image:
    reply = client.get("/sample", params={"seed": 5, "format": "png", **query})
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


@pytest.mark.parametrize("family", FAMILIES)
def test_known_pixels_are_kept_and_the_others_are_those_of_the_sample(client: TestClient, family: str) -> None:
    picture, hole = noise(SIDE, SIDE, 1, "L"), np.asarray(mask_of(SIDE, SIDE)) > 0
    body = found(client, picture, model=family, steps=10, restarts=2)
    target, image, sample = (pixels(body[name]) for name in ("target", "image", "sample"))
    assert (target[~hole] == np.asarray(picture)[~hole]).all(), "at the model's side nothing is resized"
    assert (image[~hole] == target[~hole]).all()
    assert (image[hole] == sample[hole]).all()
    mse = np.square((sample[~hole].astype(float) - target[~hole]) / 255).mean()
    assert body["psnr"] == pytest.approx(-10 * np.log10(mse))
    assert (body["start"], body["steps"], body["seed"]) == ("random", 10, 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_latent_generates_the_sample(client: TestClient, family: str) -> None:
    body = found(client, noise(SIDE, SIDE, 1, "L"), model=family, steps=10, restarts=2)
    latents = {name: body[name] for name in ("model", "latents", "classes")}
    again = client.post("/sample", json=latents, headers={"Accept": "image/png"}).content
    assert (pixels(again) == pixels(body["sample"])).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_pixels_do_not_matter_and_equal_requests_give_equal_bytes(client: TestClient, family: str) -> None:
    picture, mask = noise(40, 30, 1), mask_of(40, 30, (12, 9, 25, 20))
    changed = picture.copy()
    changed.paste((0, 255, 0), (12, 9, 25, 20))
    first = sent(client, picture, mask, model=family, steps=10, restarts=2)
    assert first.status_code == 200, first.text
    assert first.content == sent(client, picture, mask, model=family, steps=10, restarts=2).content
    assert first.content == sent(client, changed, mask, model=family, steps=10, restarts=2).content


def test_hidden_part_of_a_sample_is_recovered(client: TestClient) -> None:
    whole = drawn(client, model="dcgan")
    body = found(client, whole, model="dcgan", steps=300)
    assert body["psnr"] is None or body["psnr"] > 30
    assert np.square((pixels(body["image"]) - np.asarray(whole, float)) / 255).mean() < 0.002


def test_weight_of_features_compares_known_pixels_only(client: TestClient) -> None:
    picture = noise(SIDE, SIDE, 1, "L")
    without = found(client, picture, model="dcgan", steps=5)
    assert without == found(client, picture, model="dcgan", steps=5, feature_weight=0), "by default"
    weighted = found(client, picture, model="dcgan", steps=5, feature_weight=1)
    assert weighted["latents"] != without["latents"]
    changed = picture.copy()
    changed.paste(9, (4, 2, 12, 10))
    assert found(client, changed, model="dcgan", steps=5, feature_weight=1) == weighted


def test_known_pixels_are_those_that_inversion_prepares(client: TestClient) -> None:
    """Far from the hole: near it, resizing mixes pixels."""
    picture = noise(64, 48, 1)
    body = found(client, picture, mask_of(64, 48, (8, 0, 16, 8)), model="dcgan", steps=2)
    inverted = client.post("/invert", files={"file": saved(picture)}, data={"model": "dcgan", "steps": "2"}).json()
    far = np.ones((SIDE, SIDE), bool)
    far[:6, :6] = False
    assert (pixels(body["target"])[far] == pixels(inverted["target"])[far]).all()


@pytest.mark.parametrize(("accept", "format_"), [("image/png", "PNG"), ("image/jpeg", "JPEG"), ("image/webp", "WEBP")])
def test_picture_comes_in_the_accepted_format(client: TestClient, accept: str, format_: str) -> None:
    reply = sent(client, noise(40, 30), accept=accept, model="dcgan", steps=2, quality=50)
    assert reply.status_code == 200, reply.text
    assert (reply.headers["content-type"], reply.headers["x-forger-model"]) == (accept, "dcgan@1")
    with Image.open(io.BytesIO(reply.content)) as image:
        assert (image.format, image.size) == (format_, (SIDE, SIDE))
    if format_ == "PNG":
        assert picture_recipe(reply.content) == {"model": "dcgan@1", "version": VERSION}
        assert (pixels(reply.content) == pixels(found(client, noise(40, 30), model="dcgan", steps=2)["image"])).all()


def test_stream_reports_progress_and_ends_with_the_reply(client: TestClient) -> None:
    picture = noise(SIDE, SIDE, 1, "L")
    reply = sent(client, picture, accept=STREAM, model="dcgan", steps=60)
    assert reply.headers["content-type"].startswith(STREAM)
    assert reply.headers["x-forger-model"] == "dcgan@1"
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in reply.text.strip().split("\n\n")]
    assert [event["event"] for event in events] == ["progress", "progress", "progress", "result"]
    progress = [json.loads(event["data"]) for event in events[:-1]]
    assert [(one["step"], one["steps"]) for one in progress] == [(25, 60), (50, 60), (60, 60)]
    body = json.loads(events[-1]["data"])
    assert progress[2]["psnr"] == pytest.approx(body["psnr"], abs=1), "of unrounded pixels"
    assert body == found(client, picture, model="dcgan", steps=60)


def test_class_is_chosen_or_kept(client: TestClient) -> None:
    picture = drawn(client, model="cdcgan", **{"class": 7})
    assert found(client, picture, model="cdcgan", steps=2)["class"] in range(10)
    kept = found(client, picture, model="cdcgan", steps=2, class_="3")
    assert (kept["class"], kept["classes"]) == (3, [3])


def test_translators_come_before_generators_unless_one_is_named(client: TestClient) -> None:
    picture = noise(SIDE, SIDE, 1, "L")
    assert sent(client, picture, accept="image/png").headers["x-forger-model"] == "holes@1"
    assert sent(client, picture, accept="image/png", model="gan", steps=2).headers["x-forger-model"] == "gan@1"


@pytest.mark.parametrize(
    ("field", "value"), [("class", "1"), ("seed", "0"), ("steps", "9"), ("restarts", "1"), ("feature_weight", "0")]
)
def test_translator_refuses_fields_of_a_search(client: TestClient, field: str, value: Any) -> None:
    reply = sent(client, noise(SIDE, SIDE, 1, "L"), accept="image/png", model="holes", **{field: value})
    body = assert_problem(reply, 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("model_cannot", f"/{field}")
    assert f"leave `{field}` out, or name a model that generates" in body["detail"]


@pytest.mark.parametrize("accept", [STREAM, JSON])
def test_translator_refuses_replies_of_a_search(client: TestClient, accept: str) -> None:
    body = assert_problem(sent(client, noise(SIDE, SIDE), accept=accept, model="holes"), 406)
    assert "holes@1 fills holes without a search" in body["detail"]


@pytest.mark.parametrize(
    ("mask", "code", "words"),
    [
        (mask_of(30, 40), "mask_size", "The mask is 30 x 40, and the picture 40 x 30"),
        (Image.new("L", (40, 30), 127), "mask_empty", "black everywhere"),
        (Image.new("L", (40, 30), 128), "mask_full", "white everywhere"),
        (Image.new("L", (1, 1), 255), "too_few_pixels", "1 x 1"),
        (mask_of(40, 30, (0, 0, 5, 30)), "mask_empty", "at 16 x 16, and there the mask is black everywhere"),
        (mask_of(40, 30, (5, 0, 35, 30)), "mask_full", "at 16 x 16, and there the mask is white everywhere"),
    ],
)
def test_unusable_mask_is_refused_at_its_field(client: TestClient, mask: Image.Image, code: str, words: str) -> None:
    for accept in (JSON, STREAM, "image/png"):
        body = assert_problem(sent(client, noise(40, 30), mask, accept=accept, model="dcgan"), 422)
        assert (body["errors"][0]["pointer"], body["code"]) == ("/mask", code)
        assert words in body["detail"]


def test_unusable_requests_are_refused(client: TestClient) -> None:
    one = Image.new("L", (1, 1))
    body = assert_problem(sent(client, one, one, model="dcgan"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_few_pixels", "/file")
    picture = noise(SIDE, SIDE)
    wrong: list[tuple[str, Any]] = [("steps", "0"), ("steps", "1001"), ("restarts", "33"), ("feature_weight", "nan")]
    for field, value in wrong:
        body = assert_problem(sent(client, picture, model="dcgan", **{field: value}), 422)
        assert [error["pointer"] for error in body["errors"]] == [f"/{field}"]
    assert assert_problem(sent(client, picture, model="dcgan", class_=1), 422)["code"] == "no_such_class"
    assert assert_problem(sent(client, picture, model="cdcgan", class_=10), 422)["code"] == "no_such_class"
    body = assert_problem(sent(client, picture, model="ring"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("model_cannot", "/model")


def test_too_much_work_is_refused(client: TestClient, publish: Publish) -> None:
    publish("dcgan", "digits", name="large", data={"side": 256}, generator={"width": 4})
    body = assert_problem(sent(client, noise(SIDE, SIDE), model="large"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_much_work", "/steps")


def test_numbers_that_are_not_finite_are_refused(client: TestClient) -> None:
    def diverge(trainer: Trainer) -> None:
        for weight in trainer.average.network.parameters():
            weight.data.fill_(float("nan"))

    publish_trained("dcgan", "digits", "diverged", 2, change=diverge, **NARROW)
    body = assert_problem(sent(client, noise(SIDE, SIDE), accept="image/png", model="diverged", steps=2), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("not_finite", "/model")
    reply = sent(client, noise(SIDE, SIDE), accept=STREAM, model="diverged", steps=2)
    assert reply.text.startswith("event: error\n"), "the headers of a stream have been sent"
    assert '"not_finite"' in reply.text
