"""What a careless or a hostile client sends: each is refused by name, and nothing is left behind."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.services.jobs import lifecycle
from tests.app.api.conftest import Publish
from tests.support.problems import assert_problem
from tests.support.zips import noise, picture, saved, zipped

JSON = {"content-type": "application/json"}
Send = Callable[[TestClient], Response]


def train(**body: Any) -> Send:
    return lambda client: client.post("/jobs", json={"recipe": "cdcgan", "dataset": "digits"} | body)


def raw(body: str) -> Send:
    return lambda client: client.post("/jobs", content=body.encode(), headers=JSON)


def sample(query: str) -> Send:
    return lambda client: client.get(f"/sample?{query}")


def translate(data: bytes) -> Send:
    return lambda client: client.post("/translate", files={"file": ("a.png", data)})


def upload(data: bytes | dict[str, bytes]) -> Send:
    file = data if isinstance(data, bytes) else zipped(data)
    return lambda client: client.post("/datasets", files={"file": ("a.zip", file)}, data={"name": "refused"})


def huge_png() -> bytes:
    """13000 x 13000 of one colour, in less than half a megabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(bytes(1 + 3 * 13_000)) for _ in range(13_000)), packer.flush()])
    parts = {b"IHDR": struct.pack(">IIBBBBB", 13_000, 13_000, 8, 2, 0, 0, 0), b"IDAT": packed, b"IEND": b""}
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in parts.items())  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bomb() -> bytes:
    """A gibibyte when unpacked."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/0.png", "w") as member:
        for _ in range(1 << 6):
            member.write(bytes(1 << 24))
    return out.getvalue()


def linked() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("a/0.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return out.getvalue()


# What is sent, the status, where the problem points, and a word its sentence must hold.
REFUSALS: dict[str, tuple[Send, int, str | None, str]] = {
    "an unknown recipe": (train(recipe="stylegan9"), 422, "/recipe", "stylegan9"),
    "an unknown dataset": (train(dataset="moons"), 422, "/dataset", "moons"),
    "an unknown field": (train(epochs=3), 422, "/epochs", "no field"),
    "an unknown field deep down": (train(overrides={"generator": {"wide": 3}}), 422, "/overrides/generator/wide", "wi"),
    "NaN": (raw('{"recipe": "dcgan", "overrides": {"ema": {"decay": NaN}}}'), 422, "/overrides/ema/decay", "number"),
    "ten to the fortieth": (train(budget={"steps": 10**40}), 422, "/budget/steps", "to 100000000"),
    "ten to the fortieth as a seed": (train(seed=10**40), 422, "/seed", "to 9223372036854775807"),
    "class 10 of 10": (sample("class=10&model=digits"), 422, "/class", "0 to 9"),
    "a class of a model without": (sample("class=7&model=plain"), 422, "/class", "no classes"),
    "too many pictures": (sample("n=1001&model=digits"), 422, "/n", "max_samples"),
    "an unknown model": (sample("model=nobody"), 404, None, "nobody"),
    "an unknown job": (lambda client: client.get("/jobs/job_nobody"), 404, None, "job_nobody"),
    "an encoded way out": (lambda client: client.get("/datasets/..%2f..%2fetc%2fpasswd"), 404, None, "."),
    "a wrong content type": (lambda client: client.post("/jobs", content=b"recipe=dcgan"), 415, None, "json"),
    "a body over the limit": (raw(" " * 2_000_000), 413, None, "max_body_bytes"),
    "a file over the limit": (translate(bytes(3_000_000)), 413, None, "max_upload_bytes"),
    "a text file": (translate(b"a picture, honestly"), 415, "/file", "PNG"),
    "a truncated JPEG": (translate(saved(noise(90, 90), "JPEG")[:-300]), 422, "/file", "cut short"),
    "a picture of 13000 x 13000": (lambda client: translate(huge_png())(client), 422, "/file", "max_pixels"),
    "a gibibyte in a small zip": (lambda client: upload(bomb())(client), 422, "/file", "limit"),
    "a member that climbs out": (upload({"../0.png": picture()}), 422, "/file", "'../'"),
    "an absolute member": (upload({"/etc/0.png": picture()}), 422, "/file", "'/etc/'"),
    "a symbolic link": (upload(linked()), 422, "/file", "'a/0.png' is a link"),
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
@pytest.mark.parametrize("what", REFUSALS)
def test_it_is_refused_by_name_and_leaves_nothing(client: TestClient, api_home: Path, what: str) -> None:
    send, status, pointer, word = REFUSALS[what]
    before = kept(client, api_home)
    problem = assert_problem(send(client), status)
    assert word in problem["detail"], problem
    assert pointer is None or pointer in [error["pointer"] for error in problem["errors"]], problem
    assert kept(client, api_home) == before


def test_a_job_that_has_ended_is_not_cancelled(client: TestClient) -> None:
    ended = next(job for job in lifecycle.list_jobs()[0] if job.state == "succeeded")
    problem = assert_problem(client.post(f"/jobs/{ended.id}/cancel"), 409)
    assert "is succeeded and cannot be cancelled" in problem["detail"]


def kept(client: TestClient, home: Path) -> tuple[object, ...]:
    """All that a request could leave: files, jobs, datasets, models."""
    files = {path for path in home.rglob("*") if path.is_file() and not path.name.startswith("forger.db")}
    rooms = [client.get(room).json()["data"] for room in ("/jobs", "/datasets", "/models")]
    return files, *(len(room) for room in rooms)


@pytest.mark.parametrize(
    ("address", "body", "what"),
    [
        ("/jobs", {"recipe": "cdcgan", "dataset": "digits", "overrides": {"latent": {"size": 0}}}, "recipe"),
        ("/jobs", {"kind": "evaluate", "model": "refused", "figures": ["beauty"]}, "evaluation"),
        ("/jobs", {"kind": "generate", "model": "refused", "n": 10_001, "shard": 10}, "job"),
        ("/experiments", {"recipe": "gan", "dataset": "ring8", "grid": {"/latent/size": [0]}}, "experiment"),
    ],
)
def test_the_sentence_says_what_was_refused(
    client: TestClient, publish: Publish, address: str, body: dict[str, Any], what: str
) -> None:
    publish(name="refused")
    detail = client.post(address, json=body).json()["detail"]
    client.delete("/models/refused")
    assert detail.startswith(f"The {what} was refused. "), detail
