"""Pictures sent with a job of kind translate: each is translated at its own size and under its own name."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2 as httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.ids import new_id
from app.core.settings import get_settings
from app.services.creation import translate
from app.services.creation.translate import INPUT_FILE
from app.services.jobs import attempts, lifecycle
from tests.app.api.conftest import Publish
from tests.support.bulk_jobs import run_and_unpack, run_claimed
from tests.support.png_chunks import without_text
from tests.support.zips import noise, picture, saved, zipped

JOB = {"kind": "translate", "model": "cyclegan-day2night", "shard": 3}
Files = list[tuple[str, bytes]]


def translucent_png(width: int, height: int) -> bytes:
    image = noise(width, height, 7)
    image.putalpha(Image.new("L", (width, height), 90))
    return saved(image)


PICTURES: Files = [
    ("Strand 1.jpg", saved(noise(70, 50, 1), "JPEG")),
    ("b.png", picture(2, 33, 61)),
    ("b.jpg", saved(noise(48, 40, 3), "JPEG")),
    ("tiny.png", picture(4, 9, 9)),
    ("clear.png", translucent_png(40, 30)),
    ("broken.jpg", b"\xff\xd8\xff no picture"),
    ("größe.webp", saved(noise(41, 37, 5), "WEBP")),
]


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("pix2pix")
    publish("cyclegan", "day2night")


@pytest.fixture(autouse=True)
def uploads_are_removed() -> Iterator[None]:
    yield
    incoming = get_settings().incoming
    assert not incoming.is_dir() or [path for path in incoming.iterdir() if path.name.startswith("upload-")] == []


def send(client: TestClient, files: Files, key: str | None = None, job: Any = None) -> httpx.Response:
    parts = [("file", (name, data, "application/octet-stream")) for name, data in files]
    headers = {} if key is None else {"Idempotency-Key": key}
    fields = {"job": json.dumps(JOB if job is None else job)}
    reply: httpx.Response = client.post("/jobs", data=fields, files=parts, headers=headers)
    return reply


def translated(client: TestClient, data: bytes, **fields: str) -> bytes:
    reply = client.post("/translate", files={"file": data}, data={"model": "cyclegan-day2night", **fields})
    assert reply.status_code == 200, reply.text
    return without_text(reply.content)


def test_sent_pictures_are_translated_like_single_requests(client: TestClient) -> None:
    reply = send(client, PICTURES)
    assert reply.status_code == 201, reply.text
    job = reply.json()
    assert reply.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["state"], job["progress"]["total"]) == ("translate", "queued", 7)
    assert (job["spec"]["dataset"], job["spec"]["files"], job["spec"]["shard"]) == (None, 7, 3)
    files = run_and_unpack(job["id"])
    left_out = files.pop("left_out.csv").decode()
    by_name = dict(PICTURES)
    assert files == {
        "Strand 1.png": translated(client, by_name["Strand 1.jpg"]),
        "b.png": translated(client, by_name["b.png"]),
        "b.jpg.png": translated(client, by_name["b.jpg"]),
        "clear.png": translated(client, by_name["clear.png"]),
        "größe.png": translated(client, by_name["größe.webp"]),
    }
    assert Image.open(io.BytesIO(files["b.png"])).size == (33, 61)
    assert "tiny.png" in left_out
    assert "16 pixels a side are the least" in left_out
    assert "broken.jpg" in left_out


def test_sent_pictures_are_kept_verified_and_deleted_with_the_job(client: TestClient) -> None:
    job_id = send(client, PICTURES[:2]).json()["id"]
    stored = get_settings().checkpoints(job_id) / INPUT_FILE
    with ZipFile(stored) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == dict(PICTURES[:2])
    stored.write_bytes(stored.read_bytes()[:-1])
    assert attempts.claim(job_id, "tests") is not None
    with pytest.raises(Exception, match="Send them again"):
        run_claimed(job_id)
    attempts.fail(job_id, 1, "cannot_translate", "x")
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert not stored.parent.exists()


def test_idempotency_key_creates_one_job_of_equal_pictures(client: TestClient) -> None:
    key = new_id("key")
    first, second = send(client, PICTURES[:2], key), send(client, PICTURES[:2], key)
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert send(client, PICTURES[:1], key).json()["code"] == "idempotency_mismatch"


@pytest.mark.parametrize(
    ("files", "job", "status", "pointer"),
    [
        ([], JOB, 422, "/file"),
        ([PICTURES[0], PICTURES[0]], JOB, 422, "/file"),
        ([("a/x.png", PICTURES[1][1]), ("b\\x.png", PICTURES[1][1])], JOB, 422, "/file"),
        ([("..", PICTURES[1][1])], JOB, 422, "/file"),
        ([("big.png", bytes(2_000_001))], JOB, 413, "/file"),
        (PICTURES[:1], JOB | {"dataset": "digits"}, 422, "/dataset"),
        (PICTURES[:1], JOB | {"format": "npz"}, 422, "/format"),
        (PICTURES[:1], JOB | {"dry_run": True}, 422, "/kind"),
        (PICTURES[:1], {"kind": "generate", "n": 5}, 422, "/kind"),
        (PICTURES[:1], JOB | {"direction": "up"}, 422, "/direction"),
        (PICTURES[:1], JOB | {"model": "nobody"}, 404, None),
    ],
)
def test_invalid_pictures_or_job_are_refused_and_leave_nothing(
    client: TestClient, files: Files, job: dict[str, Any], status: int, pointer: str | None
) -> None:
    before, folders = (
        [one.id for one in lifecycle.list_jobs(limit=100)[0]],
        sorted(get_settings().checkpoints("").glob("*")),
    )
    parts: Any = [("file", (name, data, "text/plain")) for name, data in files] or [("file", (None, "x"))]
    refused = client.post("/jobs", data={"job": json.dumps(job)}, files=parts)
    assert refused.status_code == status, refused.text
    pointers = [error["pointer"] for error in refused.json().get("errors", [])]
    assert pointers == ([] if pointer is None else [pointer])
    assert [one.id for one in lifecycle.list_jobs(limit=100)[0]] == before
    assert sorted(get_settings().checkpoints("").glob("*")) == folders


def test_form_without_a_job_is_refused_with_a_pointer(client: TestClient) -> None:
    refused = client.post("/jobs", files={"file": PICTURES[0][1]})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/job")
    assert client.post("/jobs", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415


def test_uploaded_dataset_is_translated_at_its_own_sizes_and_names(client: TestClient) -> None:
    members = {"A/1.png": picture(1, 40, 32), "A/2.jpg": saved(noise(50, 64, 2), "JPEG"), "B/9.png": picture(3, 36, 36)}
    uploaded = client.post("/datasets", data={"name": "streets"}, files={"file": zipped(members)})
    assert uploaded.status_code == 201, uploaded.text
    for direction, names in (("a2b", ["A/1.png", "A/2.jpg"]), ("b2a", ["B/9.png"])):
        job = JOB | {"dataset": "streets", "direction": direction}
        files = run_and_unpack(client.post("/jobs", json=job).json()["id"])
        assert files == {
            str(Path(name).with_suffix(".png")): translated(client, members[name], direction=direction)
            for name in names
        }
    refused = client.post("/jobs", json=JOB | {"dataset": "streets", "format": "npz"})
    assert refused.json()["errors"][0]["pointer"] == "/format"


def test_side_by_side_halves_are_translated_and_class_labels_are_kept(client: TestClient) -> None:
    members = {"1.png": picture(1, 80, 32)}
    fields = {"name": "halves", "layout": "side_by_side"}
    assert client.post("/datasets", data=fields, files={"file": zipped(members)}).status_code == 201
    files = run_and_unpack(client.post("/jobs", json=JOB | {"dataset": "halves", "direction": "b2a"}).json()["id"])
    right = Image.open(io.BytesIO(members["1.png"])).crop((40, 0, 80, 32))
    assert files == {"1.png": translated(client, saved(right), direction="b2a")}
    classes = {"cat/1.png": picture(2, 24, 20), "dog/1.png": picture(3, 24, 20)}
    assert client.post("/datasets", data={"name": "pets"}, files={"file": zipped(classes)}).status_code == 201
    files = run_and_unpack(client.post("/jobs", json=JOB | {"dataset": "pets"}).json()["id"])
    assert sorted(files) == ["cat/1.png", "dog/1.png", "labels.csv"]
    assert "dog/1.png,1,dog" in files["labels.csv"].decode()


def test_reply_notes_a_picture_far_from_the_training_size(client: TestClient) -> None:
    def note(width: int, height: int) -> str | None:
        reply = client.post("/translate", files={"file": picture(1, width, height)}, data={"model": JOB["model"]})
        header: str | None = reply.headers.get("forger-note")
        return header

    assert note(128, 200) is None
    assert note(32, 40) is None
    assert (note(129, 200) or "").startswith("The picture's shorter side is 129 px, 2 times larger than the 64 px")
    assert "smaller than the 64 px that the model learned from" in (note(31, 200) or "")


def test_translation_without_a_dataset_or_pictures_is_refused(client: TestClient) -> None:
    refused = client.post("/jobs", json=JOB)
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/dataset"]
    assert translate.INPUT_FILE == "input.zip"
