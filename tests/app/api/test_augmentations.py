"""POST and GET /augmentations: bodies, the choice of the model, refusals that leave nothing behind."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.core.limits import MAX_AUGMENTED_PICTURES
from forger.wire import MAX_NAME_CHARACTERS
from tests.app.api.conftest import Publish
from tests.support.idempotent_requests import post_with_key
from tests.support.jobs import make_job
from tests.support.row_counts import count_rows
from tests.support.zips import classes, picture, zipped

BODY = {"dataset": "digits", "per_class": 10}


def send(client: TestClient, key: str | None = None, **body: Any) -> Any:
    return post_with_key(client, "/augmentations", BODY | body, key)


def pointers(reply: Any) -> list[str]:
    return sorted(error["pointer"] for error in reply.json()["errors"])


def upload(client: TestClient, name: str, members: dict[str, bytes]) -> str:
    """Upload a dataset unless it is there; return its name."""
    files = {"file": ("x.zip", zipped(members))}
    reply = client.post("/datasets", files=files, data={"name": name})
    assert reply.status_code in (201, 409), reply.text
    return name


def split_pets(client: TestClient) -> str:
    """A dataset of two classes with a test split."""
    members = {f"train/{name}": content for name, content in classes("cat", "dog", each=6).items()}
    members |= {f"test/{name}": content for name, content in classes("cat", "dog", each=2, width=25).items()}
    return upload(client, "pets", members)


def test_created_augmentation_is_a_job_with_its_whole_spec_and_no_report_yet(client: TestClient) -> None:
    reply = send(client, seed=7)
    assert reply.status_code == 201, reply.text
    body = reply.json()
    job = body["job"]
    assert reply.headers["location"] == f"/augmentations/{job['id']}"
    assert (job["kind"], job["state"], job["dataset"], job["model"]) == (
        "augment", "queued", "digits", "cdcgan-digits-augment",
    )  # fmt: skip
    assert job["spec"] == {
        "kind": "augment", "weights": None, "held_out": "fifth", "per_class": 10, "seed": 7, "seeds": 5,
        "classifier_steps": 500,
    }  # fmt: skip
    assert job["recipe"]["seed"] == 7
    assert job["progress"]["total"] == job["recipe"]["budget"]["steps"] + 100 + 4 * 5 * 500
    assert body["report"] is None
    assert body["links"] == {"self": f"/augmentations/{job['id']}", "job": f"/jobs/{job['id']}"}
    assert client.get(body["links"]["self"]).json()["job"]["id"] == job["id"]
    listed = client.get("/jobs?kind=augment").json()["data"]
    assert job["id"] in [one["id"] for one in listed]


def test_job_of_another_kind_is_no_augmentation(client: TestClient) -> None:
    job = make_job("gan", "ring8", steps=3)
    for id_ in (job.id, "job_none"):
        reply = client.get(f"/augmentations/{id_}")
        assert (reply.status_code, reply.json()["code"]) == (404, "job_not_found")


def test_newest_model_of_a_dataset_with_a_test_split_is_taken_unless_a_training_is_requested(
    client: TestClient, publish: Publish
) -> None:
    pets = split_pets(client)
    assert send(client, dataset=pets).json()["job"]["spec"]["weights"] is None
    model = publish(dataset=pets)
    for named in ({}, {"model": model}, {"model": model.partition("@")[0]}):
        spec = send(client, dataset=pets, **named).json()["job"]["spec"]
        assert (spec["weights"]["model"], spec["held_out"]) == (model, "test")
    trained = send(client, dataset=pets, budget={"steps": 5}).json()["job"]
    assert (trained["spec"]["weights"], trained["recipe"]["budget"]["steps"]) == (None, 5)


def test_model_that_saw_every_picture_of_a_dataset_without_a_test_split_is_not_taken(
    client: TestClient, publish: Publish
) -> None:
    model = publish()
    assert send(client).json()["job"]["spec"]["weights"] is None
    refused = send(client, model=model)
    assert (refused.status_code, refused.json()["code"], pointers(refused)) == (422, "cannot_augment", ["/model"])
    assert "nothing is left to test with" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "refused"),
    [
        ({"dataset": "ring8"}, 422, ["/dataset"]),
        ({"dataset": "day2night"}, 422, ["/dataset"]),
        ({"dataset": "dyck"}, 422, ["/dataset"]),
        ({"dataset": "digit"}, 404, ["/dataset"]),
        ({"model": "none@2"}, 404, ["/model"]),
        ({"model": "dcgan-digits"}, 422, ["/model"]),
        ({"model": "cdcgan-digits", "budget": {"steps": 3}}, 422, ["/model"]),
        ({"recipe": "dcgan"}, 422, ["/recipe"]),
        ({"recipe": "cdcgann"}, 422, ["/recipe"]),
        ({"budget": {"minutes": 2}}, 422, ["/budget/minutes"]),
        ({"budget": {"steps": 0}}, 422, ["/budget/steps"]),
        ({"overrides": {"batch_size": -1}}, 422, ["/overrides/batch_size"]),
        ({"per_class": 0}, 422, ["/per_class"]),
        ({"per_class": 1.5}, 422, ["/per_class"]),
        ({"per_class": MAX_AUGMENTED_PICTURES // 10 + 1}, 422, ["/per_class"]),
        ({"seeds": 2}, 422, ["/seeds"]),
        ({"seeds": 11}, 422, ["/seeds"]),
        ({"classifier_steps": 9}, 422, ["/classifier_steps"]),
        ({"classifier_steps": 5001}, 422, ["/classifier_steps"]),
        ({"seed": -1}, 422, ["/seed"]),
    ],
)
def test_invalid_request_is_refused_with_a_pointer_and_leaves_no_job(
    client: TestClient, publish: Publish, body: dict[str, Any], status: int, refused: list[str]
) -> None:
    publish("dcgan")
    publish()
    before = count_rows("jobs")
    reply = send(client, **body)
    assert (reply.status_code, pointers(reply)) == (status, refused), reply.text
    assert count_rows("jobs") == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_number_that_is_not_finite_is_refused(client: TestClient, number: str) -> None:
    text = f'{{"dataset": "digits", "per_class": {number}}}'
    reply = client.post("/augmentations", content=text, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422), reply.text


@pytest.mark.parametrize(
    ("name", "members", "reason"),
    [
        ("flat", {f"{n}.png": picture(n) for n in range(4)}, "no classes"),
        ("one-class", classes("cat", each=6), "no classes"),
        ("tiny", classes("cat", "dog", each=3), "too few pictures"),
    ],
)
def test_upload_without_two_classes_or_with_too_few_pictures_is_refused(
    client: TestClient, name: str, members: dict[str, bytes], reason: str
) -> None:
    reply = send(client, dataset=upload(client, name, members))
    assert (reply.status_code, reply.json()["code"], pointers(reply)) == (422, "cannot_augment", ["/dataset"])
    assert reason in reply.json()["detail"]


def test_idempotency_key_creates_one_augmentation(client: TestClient) -> None:
    key = new_id("key")
    first, second = send(client, key), send(client, key)
    assert first.json()["job"]["id"] == second.json()["job"]["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, key, seed=9).json()["code"] == "idempotency_mismatch"


def test_dry_run_replies_with_the_plan_and_creates_no_job(client: TestClient, publish: Publish) -> None:
    before = count_rows("jobs")
    reply = send(client, dry_run=True, seed=7)
    assert reply.status_code == 200, reply.text
    plan = reply.json()
    assert (plan["kind"], plan["dataset"], plan["model"], plan["family"]) == (
        "augment", "digits", "cdcgan-digits-augment", "cdcgan",
    )  # fmt: skip
    assert (plan["spec"]["weights"], plan["spec"]["held_out"], plan["spec"]["seed"]) == (None, "fifth", 7)
    assert plan["recipe"]["seed"] == 7
    assert plan["estimate"]["minutes"] is not None, "the time of the training is estimated"
    assert (plan["notes"], plan["refusals"]) == ([], [])
    assert count_rows("jobs") == before


def test_dry_run_with_a_model_estimates_no_training_and_warns_of_classes_of_few_pictures(
    client: TestClient, publish: Publish
) -> None:
    model = publish(dataset=split_pets(client))
    plan = send(client, dataset="pets", dry_run=True).json()
    assert (plan["spec"]["weights"]["model"], plan["estimate"]) == (model, None)
    small, note = plan["notes"]
    assert small == "Only 4 pictures are held out, too few to conclude anything: upload 30 or more to test with."
    assert note.startswith("Fewer than 50 real training pictures: cat and dog.")


def test_dry_run_counts_training_pictures_without_those_held_out(client: TestClient) -> None:
    """50 pictures are few once every fifth is held out, 123 are not; the 34 that are held out are enough."""
    members = classes("many", each=123) | classes("few", each=50)
    plan = send(client, dataset=upload(client, "uneven", members), dry_run=True).json()
    assert plan["spec"]["held_out"] == "fifth"
    (note,) = plan["notes"]
    assert note.startswith("Fewer than 50 real training pictures: few.")


def test_dry_run_warns_of_classifiers_that_are_trained_too_short(client: TestClient, publish: Publish) -> None:
    notes = {steps: send(client, dry_run=True, classifier_steps=steps).json()["notes"] for steps in (99, 100)}
    assert notes[100] == []
    assert notes[99] == [
        "Classifiers are too weak after 99 steps to conclude anything: train them for 100 steps or more."
    ]


def test_trained_generator_is_no_version_of_a_model_of_the_family_and_its_name_is_valid(client: TestClient) -> None:
    name = "p" * 60
    upload(client, name, classes("cat", "dog", each=6))
    model = send(client, dataset=name, budget={"steps": 3}).json()["job"]["model"]
    assert len(model) <= MAX_NAME_CHARACTERS
    assert model.startswith("cdcgan-ppp")
    assert model.endswith("p-augment")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"dataset": "ring8"}, ["/dataset"]),
        ({"dataset": "nothing"}, ["/dataset"]),
        ({"model": "none@2"}, ["/model"]),
        ({"recipe": "dcgan", "budget": {"minutes": 2}}, ["/budget/minutes", "/recipe"]),
    ],
)
def test_dry_run_of_what_is_refused_replies_with_the_refusals(
    client: TestClient, body: dict[str, Any], refused: list[str]
) -> None:
    reply = send(client, dry_run=True, **body)
    assert reply.status_code == 200, reply.text
    plan = reply.json()
    assert sorted(refusal["pointer"] for refusal in plan["refusals"]) == refused
    assert (plan["kind"], plan["spec"]) == ("augment", None)
