"""Careless and hostile requests: each is refused with a clear sentence and leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.services.jobs import lifecycle
from bench.hostile import flat_png
from tests.app.api.conftest import Publish
from tests.support.invalid_zips import zip_of_a_link, zip_of_zeros
from tests.support.problems import assert_problem
from tests.support.zips import noise, picture, saved, zipped

JSON = {"content-type": "application/json"}
SendRequest = Callable[[TestClient], Response]


def train(**body: Any) -> SendRequest:
    return lambda client: client.post("/jobs", json={"recipe": "cdcgan", "dataset": "digits"} | body)


def raw(body: str) -> SendRequest:
    return lambda client: client.post("/jobs", content=body.encode(), headers=JSON)


def sample(query: str) -> SendRequest:
    return lambda client: client.get(f"/sample?{query}")


def translate(data: bytes) -> SendRequest:
    return lambda client: client.post("/translate", files={"file": ("a.png", data)})


def upload(data: bytes | dict[str, bytes]) -> SendRequest:
    file = data if isinstance(data, bytes) else zipped(data)
    return lambda client: client.post("/datasets", files={"file": ("a.zip", file)}, data={"name": "refused"})


# The request, the status, the pointer of the problem, and a word that its sentence must contain.
REFUSALS: dict[str, tuple[SendRequest, int, str | None, str]] = {
    "an unknown recipe": (train(recipe="stylegan9"), 422, "/recipe", "stylegan9"),
    "an unknown dataset": (train(dataset="moons"), 422, "/dataset", "moons"),
    "an unknown field": (train(epochs=3), 422, "/epochs", "no field"),
    "an unknown nested field": (train(overrides={"generator": {"wide": 3}}), 422, "/overrides/generator/wide", "wi"),
    "NaN": (raw('{"recipe": "dcgan", "overrides": {"ema": {"decay": NaN}}}'), 422, "/overrides/ema/decay", "number"),
    "ten to the fortieth": (train(budget={"steps": 10**40}), 422, "/budget/steps", "to 100000000"),
    "ten to the fortieth as a seed": (train(seed=10**40), 422, "/seed", "to 9223372036854775807"),
    "class 10 of 10": (sample("class=10&model=digits"), 422, "/class", "0 to 9"),
    "a class of a model without classes": (sample("class=7&model=plain"), 422, "/class", "no classes"),
    "too many pictures": (sample("n=1001&model=digits"), 422, "/n", "max_samples"),
    "an unknown model": (sample("model=nobody"), 404, None, "nobody"),
    "an unknown job": (lambda client: client.get("/jobs/job_nobody"), 404, None, "job_nobody"),
    "an encoded parent path": (lambda client: client.get("/datasets/..%2f..%2fetc%2fpasswd"), 404, None, "."),
    "a wrong content type": (lambda client: client.post("/jobs", content=b"recipe=dcgan"), 415, None, "json"),
    "a body over the limit": (raw(" " * 2_000_000), 413, None, "max_body_bytes"),
    "a file over the limit": (translate(bytes(3_000_000)), 413, None, "max_upload_bytes"),
    "a text file": (translate(b"a picture, honestly"), 415, "/file", "PNG"),
    "a truncated JPEG": (translate(saved(noise(90, 90), "JPEG")[:-300]), 422, "/file", "cut short"),
    "a picture of 13000 x 13000": (
        lambda client: translate(flat_png(13_000, 13_000))(client), 422, "/file", "max_pixels",
    ),
    "a gibibyte in a small zip": (
        lambda client: upload(zip_of_zeros("a/0.png", 1 << 30))(client), 422, "/file", "limit",
    ),
    "a member in the parent folder": (upload({"../0.png": picture()}), 422, "/file", "'../'"),
    "an absolute member": (upload({"/etc/0.png": picture()}), 422, "/file", "'/etc/'"),
    "a symbolic link": (upload(zip_of_a_link()), 422, "/file", "'a/0.png' is a link"),
    "a zip in the zip": (upload({"a.zip": zipped({"0.png": picture()})}), 422, "/file", "a.zip"),
    "an empty zip": (upload({}), 422, "/file", "empty"),
    "a zip without pictures": (upload({"notes.txt": b"none"}), 422, "/file", "no pictures"),
    "no zip": (upload(picture()), 415, "/file", "not a zip"),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish(name="digits")
    publish("dcgan", name="plain")
    publish("cyclegan", "day2night", name="night", generator={"width": 4, "blocks": 1})


@pytest.mark.sampled(quick=12)
@pytest.mark.parametrize("case", REFUSALS)
def test_invalid_request_is_refused_and_leaves_nothing(client: TestClient, api_home: Path, case: str) -> None:
    send, status, pointer, word = REFUSALS[case]
    before = stored_state(client, api_home)
    problem = assert_problem(send(client), status)
    assert word in problem["detail"], problem
    assert pointer is None or pointer in [error["pointer"] for error in problem["errors"]], problem
    assert stored_state(client, api_home) == before


def test_job_that_has_ended_cannot_be_cancelled(client: TestClient) -> None:
    ended = next(job for job in lifecycle.list_jobs()[0] if job.state == "succeeded")
    problem = assert_problem(client.post(f"/jobs/{ended.id}/cancel"), 409)
    assert "is succeeded and cannot be cancelled" in problem["detail"]


def stored_state(client: TestClient, home: Path) -> tuple[object, ...]:
    """Return all that a request could leave behind: the files, and the numbers of jobs, datasets and models."""
    files = {path for path in home.rglob("*") if path.is_file() and not path.name.startswith("forger.db")}
    lists = [client.get(path).json()["data"] for path in ("/jobs", "/datasets", "/models")]
    return files, *(len(entries) for entries in lists)


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/jobs", {"recipe": "cdcgan", "dataset": "digits", "overrides": {"latent": {"size": 0}}}, "recipe"),
        ("/jobs", {"kind": "evaluate", "model": "refused", "figures": ["beauty"]}, "evaluation"),
        ("/jobs", {"kind": "generate", "model": "refused", "n": 10_001, "shard": 10}, "job"),
        ("/experiments", {"recipe": "gan", "dataset": "ring8", "grid": {"/latent/size": [0]}}, "experiment"),
    ],
)
def test_detail_says_which_kind_of_request_was_refused(
    client: TestClient, publish: Publish, path: str, body: dict[str, Any], kind: str
) -> None:
    publish(name="refused")
    detail = client.post(path, json=body).json()["detail"]
    client.delete("/models/refused")
    assert detail.startswith(f"The {kind} was refused. "), detail
