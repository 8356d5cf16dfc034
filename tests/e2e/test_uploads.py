"""Uploaded datasets that a real service trains on and generates from."""

import io
import shutil
from typing import Any

import pytest
from PIL import Image

from tests.support.service import Service
from tests.support.zips import classes, picture, zipped

SMALL: dict[str, Any] = {"batch_size": 4, "generator": {"width": 8}, "critic": {"width": 8}}
STEPS = {"steps": 6}


def upload(service: Service, name: str, members: dict[str, bytes]) -> dict[str, Any]:
    reply = service.client.post("/datasets", files={"file": zipped(members)}, data={"name": name})
    assert reply.status_code == 201, reply.text
    body: dict[str, Any] = reply.json()
    return body


def train_result(service: Service, **body: Any) -> dict[str, Any]:
    job = service.wait_for(service.post(seed=1, budget=STEPS, **body), "succeeded")
    result: dict[str, Any] = job["result"]
    return result


def size_of(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def test_uploaded_classes_are_trained_on_and_sampled_by_name(service: Service) -> None:
    upload(service, "pets", {**classes("pets/cat", "pets/dog", each=5), "pets/dog/bad.png": b"x"})
    job = {"recipe": "cdcgan", "dataset": "pets", "overrides": SMALL}
    first = train_result(service, **job)
    prepared = service.home / "data" / "prepared"
    assert len(list(prepared.iterdir())) == 1
    with_cache = train_result(service, **job)
    shutil.rmtree(prepared)
    without_cache = train_result(service, **job)
    assert first["export_sha256"] == with_cache["export_sha256"] == without_cache["export_sha256"]
    sample = service.client.get("/sample", params={"model": first["model"], "class": "dog", "n": 4, "seed": 1})
    assert sample.status_code == 200, sample.text
    assert sample.headers["x-forger-class"] == "1"
    assert size_of(sample.content) == (33, 33), "two by two pictures of 16 px with a gap"


@pytest.mark.parametrize("kind", ["unpaired", "paired"])
def test_uploaded_piles_are_trained_on_and_translated(service: Service, kind: str) -> None:
    names = ("A/1.png", "A/2.png", "B/1.png", "B/2.png" if kind == "paired" else "B/3.png")
    assert upload(service, kind, {name: picture(n) for n, name in enumerate(names)})["kind"] == kind
    small = SMALL | {"generator": {"width": 8, "blocks": 1}, "critic": {"layers": 1, "width": 8}}
    result = train_result(service, recipe="cyclegan", dataset=kind, overrides=small)
    translated = service.client.post("/translate", files={"file": picture(9, 50, 30)}, data={"model": result["model"]})
    assert translated.status_code == 200, translated.text
    assert size_of(translated.content) == (50, 30)


def test_job_on_a_dataset_without_its_files_fails_with_dataset_missing(service: Service) -> None:
    report = upload(service, "lost", classes("x", "y", width=30))["report"]
    sha256 = report["archive_sha256"]
    (service.home / "artifacts" / sha256[:2] / sha256).unlink()
    job = service.wait_for(service.post(recipe="dcgan", dataset="lost", budget=STEPS), "failed")
    assert job["status_reason"]["code"] == "dataset_missing"
    assert "missing or damaged" in job["status_reason"]["message"]
