"""From a zip to pictures: uploads that a real service trains on."""

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


def trained(service: Service, **body: Any) -> dict[str, Any]:
    job = service.wait_for(service.post(seed=1, budget=STEPS, **body), "succeeded")
    result: dict[str, Any] = job["result"]
    return result


def size_of(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def test_class_folders_are_learned_and_drawn_by_name(service: Service) -> None:
    upload(service, "pets", {**classes("pets/cat", "pets/dog", each=5), "pets/dog/bad.png": b"x"})
    job = {"recipe": "cdcgan", "dataset": "pets", "overrides": SMALL}
    first = trained(service, **job)
    prepared = service.home / "data" / "prepared"
    assert len(list(prepared.iterdir())) == 1
    with_cache = trained(service, **job)
    shutil.rmtree(prepared)
    without = trained(service, **job)
    assert first["export_sha256"] == with_cache["export_sha256"] == without["export_sha256"]
    drawn = service.client.get("/sample", params={"model": first["model"], "class": "dog", "n": 4, "seed": 1})
    assert drawn.status_code == 200, drawn.text
    assert drawn.headers["x-forger-class"] == "1"
    assert size_of(drawn.content) == (33, 33), "two by two of 16 px, a gap between"


@pytest.mark.parametrize("kind", ["unpaired", "paired"])
def test_two_piles_are_learned_and_translated(service: Service, kind: str) -> None:
    names = ("A/1.png", "A/2.png", "B/1.png", "B/2.png" if kind == "paired" else "B/3.png")
    assert upload(service, kind, {name: picture(n) for n, name in enumerate(names)})["kind"] == kind
    small = SMALL | {"generator": {"width": 8, "blocks": 1}, "critic": {"layers": 1, "width": 8}}
    result = trained(service, recipe="cyclegan", dataset=kind, overrides=small)
    painted = service.client.post("/translate", files={"file": picture(9, 50, 30)}, data={"model": result["model"]})
    assert painted.status_code == 200, painted.text
    assert size_of(painted.content) == (50, 30)


def test_a_job_whose_dataset_lost_its_files_says_so(service: Service) -> None:
    report = upload(service, "lost", classes("x", "y", width=30))["report"]
    sha256 = report["archive_sha256"]
    (service.home / "artifacts" / sha256[:2] / sha256).unlink()
    job = service.wait_for(service.post(recipe="dcgan", dataset="lost", budget=STEPS), "failed")
    assert job["status_reason"]["code"] == "dataset_missing"
    assert "missing or damaged" in job["status_reason"]["message"]
