"""POST /translate: any size, any allowed format, and what bad files are told."""

import io
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services import jobs
from tests.api.conftest import Publish

MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    small = {"generator": {"width": 4, "blocks": 1}}
    publish("cyclegan", "day2night", name="night", **small)
    publish("dcgan", "digits", name="plain")


def scene(width: int, height: int, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(1)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).convert(mode)


def saved(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def translate(client: TestClient, data: bytes, **fields: str) -> Any:
    return client.post("/translate", files={"file": ("../../etc/x.png", data)}, data=fields)


def size_of(reply: Any) -> tuple[int, int]:
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(reply.content))
    assert image.mode == "RGB"
    return image.size


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 64), (65, 33), (127, 90), (900, 700)])
def test_the_picture_keeps_its_size(client: TestClient, size: tuple[int, int]) -> None:
    assert size_of(translate(client, saved(scene(*size)))) == size


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_formats(client: TestClient, format_: str) -> None:
    assert size_of(translate(client, saved(scene(40, 24), format_))) == (40, 24)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_modes(client: TestClient, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100)
    else:
        image = scene(30, 20).convert("L" if mode == "LA" else "RGB").convert(mode)
    assert size_of(translate(client, saved(image, "TIFF" if mode == "CMYK" else "PNG"))) == (30, 20)


def test_both_directions_and_the_model_are_named(client: TestClient) -> None:
    data = saved(scene(32, 32))
    there, back = translate(client, data), translate(client, data, direction="b2a", model="night@1")
    assert there.headers["x-forger-model"] == back.headers["x-forger-model"] == "night@1"
    assert there.content != back.content
    assert translate(client, data).content == there.content


def test_pictures_are_turned_upright(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert size_of(translate(client, saved(scene(40, 24), "JPEG", exif=exif))) == (24, 40)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


GOOD = saved(scene(64, 64))
BAD = {
    "empty": (b"", 415),
    "text": (b"not a picture", 415),
    "gif": (saved(scene(8, 8).convert("P"), "GIF"), 415),
    "cut short": (GOOD[: len(GOOD) // 2], 422),
    "damaged": (GOOD[:60] + b"\0" * 40 + GOOD[100:], 422),
    "cut jpeg": (saved(scene(64, 64), "JPEG")[:800], 422),
    "32 bits": (saved(Image.fromarray(np.zeros((4, 4), np.float32)), "TIFF"), 422),
    "too many pixels": (saved(Image.new("L", (1001, 1000))), 422),
    "bomb": (bomb(13_000, 13_000), 422),
    "greater bomb": (bomb(100_000, 100_000), 422),
    "too many bytes": (b"x" * 2_000_001, 413),
}


@pytest.mark.parametrize("way", BAD)
def test_bad_files_are_refused_in_words(client: TestClient, way: str) -> None:
    data, status = BAD[way]
    reply = translate(client, data)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"


def test_limits_are_named(client: TestClient) -> None:
    assert "2000000" in translate(client, BAD["too many bytes"][0]).json()["detail"]
    assert "1000000" in translate(client, BAD["bomb"][0]).json()["detail"]


def test_a_bomb_takes_no_memory(client: TestClient) -> None:
    tracemalloc.start()
    translate(client, BAD["bomb"][0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


def test_a_body_without_length_is_cut_off(client: TestClient) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(1000):
            taken += 100_000
            yield b"\0" * 100_000

    reply = client.post("/translate", content=endless(), headers={"content-type": MULTIPART})
    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"direction": "up"}, "/direction"), ({"model": "a/b"}, "/model"), ({"model": "plain"}, "/model")],
)
def test_bad_fields_are_named(client: TestClient, fields: dict[str, str], pointer: str) -> None:
    reply = translate(client, GOOD, **fields)
    assert reply.status_code == 422
    assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]


def test_too_many_parts_are_refused(client: TestClient) -> None:
    reply = client.post("/translate", files=[("file", GOOD), ("file", GOOD)])
    assert reply.status_code == 400
    assert client.post("/translate", files={"file": GOOD}, data={"model": "x" * 5000}).status_code == 400


def test_refusals_leave_nothing_behind(client: TestClient) -> None:
    home = get_settings().home
    before = (sorted(home.rglob("*")), jobs.list_jobs(limit=100)[0])
    for data, _ in BAD.values():
        translate(client, data)
    assert (sorted(home.rglob("*")), jobs.list_jobs(limit=100)[0]) == before
