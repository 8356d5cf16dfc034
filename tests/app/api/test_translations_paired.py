"""POST /translate with models of the paired game: super-resolution, inpainting, one direction only."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from serving.engine import Engine
from tests.app.api.conftest import Publish
from tests.support.zips import noise, saved

SMALL: dict[str, Any] = {"generator": {"width": 4, "blocks": 1}}


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish("cyclegan", "day2night", name="both", generator={"width": 4, "blocks": 1})
    publish("srgan", "digits", name="twice", generator={"width": 4, "blocks": 1})
    publish("srgan", "digits", name="four", generator={"width": 4, "blocks": 1}, game={"factor": 4})
    publish("inpaint", "digits", name="anywhere", **SMALL)
    publish("inpaint", "digits", name="middle", game={"mask": "centre"}, **SMALL)
    publish("inpaint", "digits", name="half", game={"mask": "left"}, **SMALL)
    publish("dcgan", "digits", name="plain")
    publish("pix2pix", "digits", name="deep", data={"side": 64}, generator={"kind": "unet", "width": 4, "depth": 6})
    publish("pix2pix", "digits", name="drawn", generator={"width": 4})


def picture(width: int, height: int, mode: str = "L") -> Image.Image:
    return noise(width, height, 1, mode)


def translate(client: TestClient, image: Image.Image | bytes, **fields: str) -> Any:
    data = image if isinstance(image, bytes) else saved(image)
    return client.post("/translate", files={"file": ("x.png", data)}, data=fields)


def open_reply(reply: Any) -> Image.Image:
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


def refusal(reply: Any, status: int = 422) -> tuple[str, str]:
    """Return the pointer and the message of the only error."""
    assert reply.status_code == status, reply.text
    (error,) = reply.json()["errors"]
    assert error["message"] == reply.json()["detail"]
    return error["pointer"], error["message"]


def picture_with_hole(width: int, height: int, mode: str = "LA") -> Image.Image:
    """Return a picture with a hole from (4, 2) to (12, 10), whose alpha is 127; elsewhere it is 128."""
    image = picture(width, height, mode[:-1])
    alpha = np.full((height, width), 128, np.uint8)
    alpha[2:10, 4:12] = 127
    image.putalpha(Image.fromarray(alpha))
    return image


def test_default_model_is_the_newest_that_translates_in_the_direction(client: TestClient) -> None:
    assert translate(client, picture(20, 30)).headers["x-forger-model"] == "drawn@1"
    assert translate(client, picture(20, 30), direction="b2a").headers["x-forger-model"] == "both@1"


@pytest.mark.parametrize("size", [(16, 16), (17, 200), (65, 33)])
def test_translated_picture_keeps_its_size(client: TestClient, size: tuple[int, int]) -> None:
    translated = open_reply(translate(client, picture(*size), model="drawn"))
    assert (translated.size, translated.mode) == (size, "L")


@pytest.mark.parametrize(("model", "factor"), [("twice", 2), ("four", 4)])
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (200, 190)])
def test_super_resolution_enlarges_the_picture_by_its_factor(
    client: TestClient, model: str, factor: int, size: tuple[int, int]
) -> None:
    assert open_reply(translate(client, picture(*size), model=model)).size == (factor * size[0], factor * size[1])


def test_super_resolution_enlarges_alpha_too(client: TestClient) -> None:
    image = picture(40, 20)
    alpha = np.full((20, 40), 255, np.uint8)
    alpha[:, :20] = 0
    image.putalpha(Image.fromarray(alpha))
    enlarged = open_reply(translate(client, image, model="twice"))
    assert (enlarged.size, enlarged.mode) == ((80, 40), "LA")
    enlarged_alpha = np.asarray(enlarged.getchannel("A"))
    assert enlarged_alpha[:, :30].max() == 0
    assert enlarged_alpha[:, 50:].min() == 255


def test_picture_whose_enlarged_size_exceeds_max_pixels_is_refused(client: TestClient) -> None:
    """The limit is a million pixels here."""
    assert open_reply(translate(client, picture(500, 500), model="twice")).size == (1000, 1000)
    pointer, sentence = refusal(translate(client, picture(500, 501), model="twice"))
    assert pointer == "/file"
    assert "1000 x 1002 is more than 1000000 pixels (max_pixels)" in sentence
    assert refusal(translate(client, picture(300, 300), model="four"))[0] == "/file"


def test_picture_whose_padded_size_exceeds_max_pixels_is_refused(client: TestClient) -> None:
    """The picture has 800,000 pixels of the million, but the network pads its sides to multiples of 64."""
    assert open_reply(translate(client, picture(10_000, 16), model="deep")).size == (10_000, 16)
    pointer, sentence = refusal(translate(client, picture(50_000, 16), model="deep"))
    assert pointer == "/file"
    assert (
        "works on sides that are multiples of 64, and 50048 x 64 is more than 1000000 pixels (max_pixels)" in sentence
    )
    assert open_reply(translate(client, picture(50_000, 16), model="both")).size == (50_000, 16)


@pytest.mark.parametrize(("model", "pixels"), [("deep", 64 * 128), ("twice", 32 * 140), ("drawn", 16 * 72)])
def test_translation_is_queued_with_its_largest_number_of_pixels(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, model: str, pixels: int
) -> None:
    queued, translate_unrecorded = list[int](), Engine.translate

    def record(engine: Engine, *args: Any, **kwargs: Any) -> Any:
        queued.append(kwargs["pixels"])
        return translate_unrecorded(engine, *args, **kwargs)

    monkeypatch.setattr(Engine, "translate", record)
    open_reply(translate(client, picture(70, 16), model=model))
    assert queued == [pixels]


@pytest.mark.parametrize("model", ["anywhere", "middle", "half"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_inpainting_fills_transparent_pixels_and_keeps_the_rest(client: TestClient, model: str, mode: str) -> None:
    image = picture_with_hole(33, 20, mode)
    painted = open_reply(translate(client, image, model=model))
    assert (painted.size, painted.mode) == ((33, 20), "L"), "opaque"
    before, after = np.asarray(image.convert("RGB").convert("L")).astype(int), np.asarray(painted).astype(int)
    hole = np.asarray(image.getchannel("A")) < 128
    assert np.abs(before - after)[~hole].max() <= 1
    assert np.abs(before - after)[hole].mean() > 10


def test_pixels_under_the_hole_do_not_change_the_result(client: TestClient) -> None:
    image, other = picture_with_hole(33, 20), picture_with_hole(33, 20)
    other.paste((9, 0), (4, 2, 12, 10))
    assert translate(client, image, model="anywhere").content == translate(client, other, model="anywhere").content


@pytest.mark.parametrize(("model", "box"), [("middle", np.s_[8:24, 5:15]), ("half", np.s_[:, :10])])
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_opaque_picture_is_filled_in_the_fixed_hole_of_the_training(
    client: TestClient, model: str, box: Any, mode: str
) -> None:
    image = picture(20, 32, "L")
    if mode == "LA":
        image.putalpha(255)
    painted = open_reply(translate(client, image, model=model))
    assert painted.mode == "L"
    changed = np.asarray(painted) != np.asarray(image.convert("L"))
    inside = np.zeros(changed.shape, bool)
    inside[box] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.8


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_opaque_picture_is_refused_by_a_model_of_random_holes(client: TestClient, format_: str) -> None:
    reply = translate(client, saved(picture(20, 32), format_), model="anywhere")
    pointer, sentence = refusal(reply)
    assert (pointer, reply.json()["code"]) == ("/file", "no_hole")
    assert "make the area to fill transparent" in sentence


@pytest.mark.parametrize("model", ["drawn", "twice", "anywhere@1"])
def test_reverse_direction_is_refused_by_a_one_way_model(client: TestClient, model: str) -> None:
    pointer, sentence = refusal(translate(client, picture(20, 20), model=model, direction="b2a"))
    assert pointer == "/direction"
    assert "one way only: leave `direction` out" in sentence


def test_model_that_does_not_translate_is_refused_in_both_directions(client: TestClient) -> None:
    for direction in ("a2b", "b2a"):
        pointer, sentence = refusal(translate(client, picture(20, 20), model="plain", direction=direction))
        assert pointer == "/model"
        assert "translates nothing" in sentence


@pytest.mark.parametrize("model", ["drawn", "twice", "middle"])
def test_sampling_from_a_translation_model_is_refused(client: TestClient, model: str) -> None:
    assert refusal(client.get("/sample", params={"model": model}))[0] == "/model"
