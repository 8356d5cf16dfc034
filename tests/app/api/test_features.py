"""POST /features on models that really learned, for a few steps: critics, encoders, and what is refused."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import lifecycle
from data.prepare import Preparation, prepare
from models import checkpoint
from models.build import build_critic
from tests.app.api.conftest import Publish
from tests.support.databases import sqlite_only
from tests.support.problems import assert_problem
from tests.support.trained_models import NARROW, publish_each, publish_trained
from tests.support.zips import noise, saved
from worker.training.trainer import Trainer

pytestmark = sqlite_only
Array = NDArray[Any]
CRITICS: dict[str, dict[str, Any]] = {
    "dcgan": NARROW,
    "cdcgan": NARROW,
    "cgan": {"watch": None},
    "pacgan": NARROW,
    "minibatch": NARROW,
    "d2gan": NARROW,
    "began": NARROW,
    "stackgan": NARROW,
    "progan": NARROW,
    "sngan": NARROW,
}
ENCODERS: dict[str, dict[str, Any]] = {"vae": {"watch": None}, "autoencoder": {"watch": None}}


@pytest.fixture(scope="module", autouse=True)
def jobs(publish: Publish) -> dict[str, str]:
    """Publish a model of each family; return the ids of their jobs."""
    publish_trained("inpaint", "digits", "inpaint", 2, generator={"width": 4, "blocks": 1}, watch=None)
    publish("gan", "ring8", name="ring")
    publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1})
    publish("dcgan", "digits", name="never-trained")
    return publish_each(CRITICS | ENCODERS, steps=4)


def sent(client: TestClient, *pictures: bytes, **fields: str) -> Any:
    files = [("file", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]
    return client.post("/features", files=files, data=fields)


def features(client: TestClient, *pictures: bytes, **fields: str) -> Array:
    reply = sent(client, *pictures, **fields)
    assert reply.status_code == 200, reply.text
    body = reply.json()
    array = np.array(body["features"], np.float32)
    assert array.shape == (len(pictures), body["size"])
    return array


def test_features_of_a_critic_are_its_last_hidden_layer(client: TestClient, jobs: dict[str, str]) -> None:
    picture = noise(40, 30, 1)
    reply = sent(client, saved(picture), model="dcgan")
    assert reply.headers["x-forger-model"] == "dcgan@1"
    assert (reply.json()["model"], reply.json()["source"]) == ("dcgan@1", "critic")
    recipe = lifecycle.get(jobs["dcgan"]).recipe
    (file,) = get_settings().checkpoints(jobs["dcgan"]).glob("step-*.pt")
    critic = build_critic(recipe)
    critic.load_state_dict(checkpoint.load(file)["critic"])
    square = prepare(picture.convert("L"), Preparation(16, 1))
    with torch.no_grad():
        expected = critic.eval()(torch.from_numpy(square.copy()).permute(2, 0, 1)[None] / 127.5 - 1).features
    assert np.abs(np.array(reply.json()["features"]) - expected.numpy()).max() < 1e-5


@pytest.mark.parametrize("family", CRITICS)
def test_every_critic_has_features_that_depend_on_the_picture_alone(client: TestClient, family: str) -> None:
    one, other = saved(noise(20, 20, 1)), saved(noise(20, 20, 2))
    alone = features(client, one, model=family)
    both = features(client, other, one, model=family)
    assert alone.shape[1] > 8
    assert (both[1] == alone[0]).all(), "neither the number of pictures nor their order matters"
    assert (both[0] != both[1]).any()


@pytest.mark.parametrize("family", ENCODERS)
def test_features_of_an_autoencoder_are_its_code_of_means(client: TestClient, family: str) -> None:
    reply = sent(client, saved(noise(20, 20, 1)), model=family)
    assert reply.json()["source"] == "encoder"
    latent = client.get(f"/models/{family}").json()["versions"][0]["recipe"]["latent"]["size"]
    assert reply.json()["size"] == latent


def test_npz_holds_the_same_numbers_and_equal_requests_give_equal_bytes(client: TestClient) -> None:
    pictures = [saved(noise(20, 20, seed)) for seed in range(3)]
    reply = sent(client, *pictures, model="dcgan", format="npz")
    assert reply.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(reply.content)) as archive:
        array = archive["features"]
    assert array.dtype == np.float32
    assert (array == features(client, *pictures, model="dcgan")).all()
    assert reply.content == sent(client, *pictures, model="dcgan", format="npz").content


def test_newest_model_with_features_is_the_default(client: TestClient) -> None:
    assert sent(client, saved(noise(20, 20))).headers["x-forger-model"] == "autoencoder@1"


@pytest.mark.parametrize("model", ["inpaint", "ring", "night"])
def test_model_without_features_of_single_pictures_is_refused(client: TestClient, model: str) -> None:
    body = assert_problem(sent(client, saved(noise(20, 20)), model=model), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("model_cannot", "/model")


def test_version_whose_checkpoint_is_gone_is_refused(client: TestClient, jobs: dict[str, str]) -> None:
    body = assert_problem(sent(client, saved(noise(20, 20)), model="never-trained"), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("critic_gone", "/model")
    assert "only the checkpoint of step 3 has it, and it was deleted" in body["detail"]


@pytest.mark.parametrize(
    ("how", "damage"), [("damaged", lambda file: file.write_bytes(b"no")), ("missing", Path.unlink)]
)
def test_version_whose_checkpoint_is_damaged_is_refused(client: TestClient, how: str, damage: Any) -> None:
    _, job = publish_trained("dcgan", "digits", f"{how}-critic", 2, **NARROW)
    (file,) = get_settings().checkpoints(job).glob("step-*.pt")
    kept = file.with_suffix(".kept")
    shutil.copy(file, kept)
    damage(file)
    body = assert_problem(sent(client, saved(noise(20, 20)), model=f"{how}-critic"), 409)
    assert body["code"] == "critic_gone"
    assert f"its file is {how}" in body["detail"]
    assert client.get(f"/sample?model={how}-critic").status_code == 200, "the export is intact"
    kept.replace(file)
    assert len(features(client, saved(noise(20, 20)), model=f"{how}-critic")) == 1


def test_unusable_pictures_are_refused(client: TestClient) -> None:
    body = assert_problem(sent(client, saved(Image.new("L", (1, 1))), model="dcgan"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_few_pixels", "/file")
    assert_problem(sent(client, saved(noise(20, 20)), b"no picture", model="dcgan"), 415)
    assert assert_problem(client.post("/features", data={"model": "dcgan"}), 415)["status"] == 415
    assert assert_problem(client.post("/features", files={"fil": b"x"}), 422)["errors"][0]["pointer"] == "/fil"


def test_too_many_pictures_are_refused(client: TestClient) -> None:
    picture = saved(noise(16, 16))
    assert len(features(client, *[picture] * 64, model="autoencoder")) == 64
    assert "at most 64 files" in assert_problem(sent(client, *[picture] * 65, model="dcgan"), 400)["detail"]


def test_pictures_with_too_many_pixels_together_are_refused(client: TestClient) -> None:
    """The limit is a million pixels here."""
    picture = saved(Image.new("L", (900, 400)))
    assert len(features(client, picture, picture, model="dcgan")) == 2
    body = assert_problem(sent(client, picture, picture, picture, model="dcgan"), 422)
    assert (body["code"], body["errors"][0]["pointer"]) == ("too_many_pixels", "/file")
    assert "(max_pixels)" in body["detail"]


def test_critic_whose_numbers_are_not_finite_is_refused(client: TestClient) -> None:
    def diverge(trainer: Trainer) -> None:
        assert trainer.critic is not None
        for weight in trainer.critic.network.parameters():
            weight.data.fill_(float("nan"))

    publish_trained("dcgan", "digits", "diverged", 2, change=diverge, **NARROW)
    body = assert_problem(sent(client, saved(noise(20, 20)), model="diverged"), 409)
    assert (body["code"], body["errors"][0]["pointer"]) == ("not_finite", "/model")
