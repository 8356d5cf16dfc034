"""POST /invert on models that really learned, for a few steps: found latents, progress, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.inference import inversion
from app.services.models import registry
from tests.app.api.conftest import Publish
from tests.support.databases import sqlite_only
from tests.support.pictures import pixels
from tests.support.problems import assert_problem
from tests.support.trained_models import NARROW, publish_each, publish_trained
from tests.support.zips import noise, saved
from worker.training.trainer import Trainer

pytestmark = sqlite_only
Array = NDArray[Any]
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
    return publish_each(FAMILIES, steps=30)


def sent(client: TestClient, picture: bytes, *, accept: str = "application/json", **fields: Any) -> Any:
    data = {name.rstrip("_"): value for name, value in fields.items()}
    return client.post("/invert", files={"file": ("a.png", picture)}, data=data, headers={"Accept": accept})


def found(client: TestClient, picture: bytes, **fields: Any) -> Any:
    reply = sent(client, picture, **fields)
    assert reply.status_code == 200, reply.text
    return reply.json()


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
    one, other = pixels(body["target"]).astype(float), pixels(body["image"])
    assert body["mse"] == pytest.approx(np.square((one - other) / 255).mean())
    assert body["psnr"] == pytest.approx(-10 * np.log10(body["mse"]))
    latents = {name: body[name] for name in ("model", "latents", "classes")}
    picture = client.post("/sample", json=latents, headers={"Accept": "image/png"}).content
    assert (pixels(picture) == other).all()
    edited = client.post("/edit", json=latents | {"moves": [{}]}).json()
    assert (pixels(edited["rows"][0][0]["image"]) == other).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_more_steps_come_nearer_and_equal_requests_give_equal_bytes(client: TestClient, family: str) -> None:
    picture = saved(noise(20, 20, 1))
    few = found(client, picture, model=family, steps=1, restarts=2)
    many = sent(client, picture, model=family, steps=60, restarts=2)
    assert many.json()["mse"] < few["mse"]
    assert many.content == sent(client, picture, model=family, steps=60, restarts=2).content


def test_class_of_the_lowest_error_is_chosen_and_a_given_class_is_kept(client: TestClient) -> None:
    picture = drawn(client, model="cdcgan", **{"class": 7})
    chosen = found(client, picture, model="cdcgan", steps=100, restarts=20)
    assert chosen["attempts"] == 20
    errors = [found(client, picture, model="cdcgan", steps=100, restarts=2, **{"class": n})["mse"] for n in (2, 7)]
    assert chosen["mse"] <= max(errors)
    kept = found(client, picture, model="cdcgan", steps=2, **{"class": 3})
    assert (kept["class"], kept["classes"], kept["attempts"]) == (3, [3], 8)
    assert found(client, picture, model="cdcgan", steps=2, restarts=1)["attempts"] == 10, "one for each class"


def test_encoder_is_a_start(client: TestClient) -> None:
    """A code of the encoder is nearer than a few drawn latents."""
    body = found(client, drawn(client, model="vae"), model="vae", steps=1, restarts=1)
    assert (body["start"], body["feature_weight"], body["attempts"]) == ("encoder", 0, 1)


def test_seed_changes_the_result(client: TestClient) -> None:
    picture = saved(noise(20, 20, 1))
    latents = [found(client, picture, model="gan", steps=3, seed=seed)["latents"] for seed in (1, 2)]
    assert latents[0] != latents[1]


def test_weight_of_features_changes_the_search(client: TestClient) -> None:
    picture = saved(noise(20, 20, 1))
    without = found(client, picture, model="dcgan", steps=5, feature_weight=0)
    assert without["feature_weight"] == 0
    assert found(client, picture, model="dcgan", steps=5)["latents"] != without["latents"]


def test_uniform_latents_stay_in_their_range(client: TestClient) -> None:
    publish_trained("dcgan", "digits", "uniform", 2, latent={"kind": "uniform", "scale": 2.0}, **NARROW)
    body = found(client, saved(Image.new("L", (20, 20), 255)), model="uniform", steps=60, restarts=1)
    assert np.abs(body["latents"]).max() <= 2


def test_stream_reports_progress_and_ends_with_the_reply(client: TestClient) -> None:
    picture = saved(noise(20, 20, 1))
    reply = sent(client, picture, accept="text/event-stream", model="dcgan", steps=60)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.headers["x-forger-model"] == "dcgan@1"
    events = [dict(line.split(": ", 1) for line in block.split("\n")) for block in reply.text.strip().split("\n\n")]
    assert [event["event"] for event in events] == ["progress", "progress", "progress", "result"]
    progress = [json.loads(event["data"]) for event in events[:-1]]
    assert [(one["step"], one["steps"]) for one in progress] == [(25, 60), (50, 60), (60, 60)]
    assert progress[0]["psnr"] < progress[2]["psnr"]
    assert json.loads(events[-1]["data"]) == found(client, picture, model="dcgan", steps=60)


def test_model_whose_critic_is_gone_is_searched_by_pixels(client: TestClient, publish: Publish) -> None:
    publish("dcgan", "digits", name="critic-gone")
    assert found(client, saved(noise(20, 20)), model="critic-gone", steps=2)["feature_weight"] == 0
    body = assert_problem(sent(client, saved(noise(20, 20)), model="critic-gone", feature_weight=1), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("critic_gone", "/model")


@pytest.mark.parametrize("part", ["generator", "critic"])
def test_numbers_that_are_not_finite_are_refused(client: TestClient, part: str) -> None:
    def diverge(trainer: Trainer) -> None:
        network = (trainer.critic if part == "critic" else trainer.average).network  # type: ignore[union-attr]
        for weight in network.parameters():
            weight.data.fill_(float("nan"))

    publish_trained("dcgan", "digits", f"{part}-diverged", 2, change=diverge, **NARROW)
    picture = saved(noise(20, 20))
    body = assert_problem(sent(client, picture, model=f"{part}-diverged", steps=2), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("not_finite", "/model")
    reply = sent(client, picture, accept="text/event-stream", model=f"{part}-diverged", steps=2)
    assert reply.text.startswith("event: error\n"), "the headers of a stream have been sent"
    assert '"not_finite"' in reply.text


@pytest.mark.parametrize("model", ["ring", "night"])
def test_model_without_pictures_from_latents_is_refused(client: TestClient, model: str) -> None:
    body = assert_problem(sent(client, saved(noise(20, 20)), model=model), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("model_cannot", "/model")


def test_model_that_nobody_names_is_the_newest_with_pictures(client: TestClient, publish: Publish) -> None:
    newest = publish("dcgan", "digits", name="newest-of-pictures", **NARROW)
    publish("gan", "ring8", name="newest-of-all")
    picture = saved(noise(20, 20))
    assert_problem(sent(client, picture, model="newest-of-all"), 422)  # the service knows both from now on
    assert found(client, picture, steps=1, restarts=1)["model"] == newest


def test_unusable_requests_are_refused(client: TestClient) -> None:
    body = assert_problem(sent(client, saved(Image.new("L", (1, 1))), model="dcgan"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_few_pixels", "/file")
    assert_problem(sent(client, b"no picture", model="dcgan"), 415)
    picture = saved(noise(20, 20))
    for field, value in (("steps", "0"), ("steps", "1001"), ("restarts", "33"), ("feature_weight", "nan")):
        body = assert_problem(sent(client, picture, model="dcgan", **{field: value}), 422)
        assert [error["pointer"] for error in body["errors"]] == [f"/{field}"]
    assert assert_problem(sent(client, picture, model="dcgan", class_=1), 422)["code"] == "no_such_class"
    assert assert_problem(sent(client, picture, model="cdcgan", class_=10), 422)["code"] == "no_such_class"


def test_too_much_work_is_refused(client: TestClient, publish: Publish) -> None:
    publish("dcgan", "digits", name="large", data={"side": 256}, generator={"width": 4})
    body = assert_problem(sent(client, saved(noise(20, 20)), model="large"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_much_work", "/steps")
    assert "generate 104857600 pixels, more than 40000000 (max_search_pixels)" in body["detail"]
    assert "write fewer `steps` or `restarts`" in body["detail"]


def test_default_search_is_allowed_at_128_px_also_in_ten_classes(publish: Publish) -> None:
    version = registry.find(publish("cdcgan", "digits", data={"side": 128}, generator={"width": 4}))
    plan = inversion.Plan(seed=0, steps=200, restarts=8, feature_weight=None)
    inversion.require_work(version, plan, range(10), get_settings().max_search_pixels)


def test_checkpoint_that_is_damaged_is_refused(client: TestClient) -> None:
    _, job = publish_trained("dcgan", "digits", "damaged", 2, **NARROW)
    (file,) = get_settings().checkpoints(job).glob("step-*.pt")
    file.write_bytes(b"no")
    assert assert_problem(sent(client, saved(noise(20, 20)), model="damaged", steps=2), 409)["code"] == "critic_gone"
    assert found(client, saved(noise(20, 20)), model="damaged", steps=2, feature_weight=0)["steps"] == 2
