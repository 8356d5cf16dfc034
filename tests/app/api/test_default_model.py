"""Requests that name no model: the generator of an augmentation serves them only if no other model suits."""

from starlette.testclient import TestClient

from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.support.augmentations import make_augmentation_with_generator


def sampled_model(client: TestClient, **query: str) -> str:
    reply = client.get("/sample", params={"class": "7", **query})
    assert reply.status_code == 200, reply.text
    return reply.headers["X-Forger-Model"]


def test_generator_of_an_augmentation_comes_after_all_other_models(client: TestClient, publish: Publish) -> None:
    job = lifecycle.get(make_augmentation_with_generator())
    assert sampled_model(client) == f"{job.model_name}@1"
    assert client.get(f"/models/{job.model_name}@1").json()["card"]["augmentation"] == {"job": job.id}
    trained = publish(name="trained")
    make_augmentation_with_generator(seed=1)
    assert sampled_model(client, model=f"{job.model_name}@2") == f"{job.model_name}@2"
    assert sampled_model(client) == trained
