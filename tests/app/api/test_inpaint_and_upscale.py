"""POST /inpaint by translators and POST /upscale, on models that really learned, for a few steps."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.core.settings import get_settings
from forger import picture_recipe
from forger.wire import VERSION
from serving import loaded
from serving.tiling import translate_in_tiles
from tests.app.api.conftest import Publish
from tests.support.databases import sqlite_only
from tests.support.problems import assert_problem
from tests.support.trained_models import publish_trained
from tests.support.zips import noise, saved

pytestmark = sqlite_only
Array = NDArray[Any]
SMALL: dict[str, Any] = {"generator": {"width": 8, "blocks": 1}, "critic": {"width": 4}, "watch": None}
COLOUR: dict[str, Any] = {"data": {"channels": 3}}
SRGAN: dict[str, Any] = {"game": {"features_steps": 2}}


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_trained("srgan", "digits", "twice", 4, **SMALL, **SRGAN)
    publish_trained("srgan", "digits", "colour", 2, **SMALL, **COLOUR, game={"features_steps": 2, "factor": 4})
    publish_trained("inpaint", "digits", "holes", 20, **SMALL)
    publish_trained("inpaint", "digits", "colour-holes", 2, **SMALL, **COLOUR)
    publish("dcgan", "digits", name="plain")
    publish("gan", "ring8", name="points")


def pixels(data: bytes) -> Array:
    return np.asarray(Image.open(io.BytesIO(data)))


def mask_of(width: int, height: int, box: tuple[int, int, int, int] = (4, 2, 12, 10)) -> Image.Image:
    """Return a black mask that is white inside the box."""
    mask = Image.new("L", (width, height))
    mask.paste(255, box)
    return mask


def inpaint(client: TestClient, picture: Image.Image, mask: Image.Image, **fields: str) -> Any:
    files = {"file": ("a.png", saved(picture)), "mask": ("b.png", saved(mask))}
    return client.post("/inpaint", files=files, data=fields)


def upscale(client: TestClient, picture: Image.Image, **fields: str) -> Any:
    return client.post("/upscale", files={"file": ("a.png", saved(picture))}, data=fields)


def content(reply: Any) -> bytes:
    assert reply.status_code == 200, reply.text
    data: bytes = reply.content
    return data


def assert_refused(reply: Any, pointer: str, code: str) -> str:
    body = assert_problem(reply, 422)
    assert (body["errors"][0]["pointer"], body["code"]) == (pointer, code)
    detail: str = body["detail"]
    return detail


@pytest.mark.parametrize(("model", "mode"), [("holes", "L"), ("colour-holes", "RGB")])
@pytest.mark.parametrize("size", [(16, 16), (33, 21), (300, 40)])
def test_pixels_outside_the_mask_come_back_unchanged(
    client: TestClient, model: str, mode: str, size: tuple[int, int]
) -> None:
    picture, mask = noise(*size, 1, mode), mask_of(*size)
    reply = inpaint(client, picture, mask, model=model)
    before, after, hole = np.asarray(picture), pixels(content(reply)), np.asarray(mask) > 0
    assert after.shape == before.shape
    assert (after[~hole] == before[~hole]).all()
    assert (after[hole] != before[hole]).mean() > 0.5
    assert reply.headers["x-forger-model"] == f"{model}@1"
    assert picture_recipe(reply.content) == {"model": f"{model}@1", "direction": "a2b", "version": VERSION}


def test_pixels_outside_the_mask_of_a_tiled_picture_come_back_unchanged(client: TestClient) -> None:
    picture, mask = noise(1400, 700, 1, "L"), mask_of(1400, 700, (200, 100, 1200, 600))
    before, after = np.asarray(picture), pixels(content(inpaint(client, picture, mask, model="holes")))
    hole = np.asarray(mask) > 0
    assert (after[~hole] == before[~hole]).all()


def test_mask_and_transparent_part_give_the_same_bytes(client: TestClient) -> None:
    """There is one way to fill a hole: /translate takes it as alpha, /inpaint as a mask."""
    picture, mask = noise(33, 21, 1, "L"), mask_of(33, 21)
    transparent = picture.copy()
    transparent.putalpha(Image.fromarray(255 - np.asarray(mask)))
    translated = client.post("/translate", files={"file": ("a.png", saved(transparent))}, data={"model": "holes"})
    first = content(inpaint(client, picture, mask, model="holes"))
    assert first == content(translated)
    assert first == content(inpaint(client, picture, mask, model="holes")), "equal requests, equal bytes"


@pytest.mark.parametrize("mode", ["1", "RGB", "LA", "P"])
def test_mask_of_every_mode_is_read_by_its_brightness(client: TestClient, mode: str) -> None:
    picture, mask = noise(33, 21, 1, "L"), mask_of(33, 21)
    expected = content(inpaint(client, picture, mask, model="holes"))
    assert content(inpaint(client, picture, mask.convert(mode), model="holes")) == expected
    grey = mask.point(lambda level: 128 if level else 127)
    assert content(inpaint(client, picture, grey, model="holes")) == expected


def test_alpha_stays_outside_the_mask_and_is_opaque_inside(client: TestClient) -> None:
    picture, mask = noise(33, 21, 1, "L"), mask_of(33, 21)
    picture.putalpha(77)
    painted = pixels(content(inpaint(client, picture, mask, model="holes")))
    hole = np.asarray(mask) > 0
    assert painted.shape == (21, 33, 2)
    assert (painted[hole][:, 1] == 255).all()
    assert (painted[~hole][:, 1] == 77).all()


def test_filling_of_a_mask_needs_only_the_pixels_outside(client: TestClient) -> None:
    picture, other, mask = noise(33, 21, 1, "L"), noise(33, 21, 1, "L"), mask_of(33, 21)
    other.paste(9, (4, 2, 12, 10))
    assert content(inpaint(client, picture, mask, model="holes")) == content(
        inpaint(client, other, mask, model="holes")
    )


@pytest.mark.parametrize(
    ("mask", "code", "words"),
    [
        (mask_of(21, 33), "mask_size", "The mask is 21 x 33, and the picture 33 x 21"),
        (Image.new("L", (33, 21), 127), "mask_empty", "black everywhere"),
        (Image.new("L", (33, 21), 128), "mask_full", "white everywhere"),
        (Image.new("L", (1, 1), 255), "too_few_pixels", "1 x 1"),
    ],
)
def test_unusable_mask_is_refused_at_its_field(client: TestClient, mask: Image.Image, code: str, words: str) -> None:
    assert words in assert_refused(inpaint(client, noise(33, 21, 1, "L"), mask, model="holes"), "/mask", code)


def test_damaged_mask_is_refused_at_its_field(client: TestClient) -> None:
    files = {"file": ("a.png", saved(noise(33, 21))), "mask": ("b.png", b"no picture")}
    body = assert_problem(client.post("/inpaint", files=files, data={"model": "holes"}), 415)
    assert body["errors"][0]["pointer"] == "/mask"


def test_missing_mask_is_refused(client: TestClient) -> None:
    reply = client.post("/inpaint", files={"file": ("a.png", saved(noise(33, 21)))})
    assert assert_problem(reply, 422)["errors"][0]["pointer"] == "/mask"


@pytest.mark.parametrize("door", ["/inpaint", "/upscale"])
def test_picture_of_one_pixel_is_refused(client: TestClient, door: str) -> None:
    one = ("a.png", saved(Image.new("L", (1, 1))))
    files = {"file": one, "mask": one} if door == "/inpaint" else {"file": one}
    assert "1 x 1" in assert_refused(client.post(door, files=files), "/file", "too_few_pixels")


@pytest.mark.parametrize(("door", "words"), [("/inpaint", "fills no holes"), ("/upscale", "enlarges nothing")])
def test_model_of_another_kind_is_refused(client: TestClient, door: str, words: str) -> None:
    picture = ("a.png", saved(noise(33, 21)))
    files = {"file": picture, "mask": picture} if door == "/inpaint" else {"file": picture}
    for model in ("points", "twice") if door == "/inpaint" else ("plain", "holes"):
        assert words in assert_refused(client.post(door, files=files, data={"model": model}), "/model", "model_cannot")
    assert_problem(client.post(door, files=files, data={"model": "none"}), 404)
    assert_problem(client.post(door, files=files, headers={"Accept": "text/plain"}), 406)


def test_second_mask_is_refused(client: TestClient) -> None:
    part = ("a.png", saved(mask_of(33, 21)))
    reply = client.post("/inpaint", files=[("file", part), ("mask", part), ("mask", part)])
    assert "at most 2 files" in assert_problem(reply, 400)["detail"]
    reply = client.post("/inpaint", files=[("mask", part), ("mask", part)])
    assert assert_problem(reply, 422)["errors"][0]["pointer"] == "/mask"


@pytest.mark.parametrize(("model", "mode", "factor"), [("twice", "L", 2), ("colour", "RGB", 4)])
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (200, 190)])
def test_picture_of_any_size_is_enlarged_by_the_factor(
    client: TestClient, model: str, mode: str, factor: int, size: tuple[int, int]
) -> None:
    picture = noise(*size, 1, mode)
    reply = upscale(client, picture, model=model)
    with Image.open(io.BytesIO(content(reply))) as large:
        assert (large.size, large.mode) == ((factor * size[0], factor * size[1]), mode)
    assert picture_recipe(reply.content) == {"model": f"{model}@1", "direction": "a2b", "version": VERSION}
    translated = client.post("/translate", files={"file": ("a.png", saved(picture))}, data={"model": model})
    assert content(translated) == reply.content, "there is one way to enlarge"


def test_doors_choose_the_newest_model_of_their_kind(client: TestClient) -> None:
    picture = noise(33, 21)
    assert upscale(client, picture).headers["x-forger-model"] == "colour@1"
    assert inpaint(client, picture, mask_of(33, 21)).headers["x-forger-model"] == "colour-holes@1"


def test_tiles_of_an_enlarged_picture_show_no_seams(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result differs from that in one piece by one level at most, also where tiles meet."""
    picture = noise(240, 150, 1, "RGB")
    whole = pixels(content(upscale(client, picture, model="colour")))
    pieces = list[Any]()

    def in_small_tiles(*args: Any, **_: Any) -> Iterator[Any]:
        for piece in translate_in_tiles(*args, tile=320):
            pieces.append(piece)
            yield piece

    monkeypatch.setattr(loaded, "translate_in_tiles", in_small_tiles)
    tiled = pixels(content(upscale(client, picture, model="colour")))
    assert len(pieces) > 6, "several tiles"
    assert whole.shape == tiled.shape == (600, 960, 3)
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_picture_that_is_too_large_when_enlarged_is_refused(client: TestClient) -> None:
    """The limit is a million pixels here."""
    assert get_settings().max_pixels == 1_000_000
    detail = assert_refused(upscale(client, noise(300, 300), model="colour"), "/file", "too_many_pixels")
    assert "1200 x 1200 is more than 1000000 pixels (max_pixels)" in detail


@pytest.mark.parametrize(("accept", "format_"), [("image/jpeg", "JPEG"), ("image/webp", "WEBP")])
def test_replies_come_in_the_accepted_format(client: TestClient, accept: str, format_: str) -> None:
    picture = ("a.png", saved(noise(33, 21)))
    for door, files in (
        ("/upscale", {"file": picture}),
        ("/inpaint", {"file": picture, "mask": ("m.png", saved(mask_of(33, 21)))}),
    ):
        reply = client.post(door, files=files, data={"quality": "50"}, headers={"Accept": accept})
        assert Image.open(io.BytesIO(content(reply))).format == format_
