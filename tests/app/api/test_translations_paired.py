"""POST /translate by models of the paired game: larger pictures, filled holes, one way only."""

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


def opened(reply: Any) -> Image.Image:
    assert reply.status_code == 200, reply.text
    return Image.open(io.BytesIO(reply.content))


def refusal(reply: Any, status: int = 422) -> tuple[str, str]:
    """Where, and what is said."""
    assert reply.status_code == status, reply.text
    (error,) = reply.json()["errors"]
    assert error["message"] == reply.json()["detail"]
    return error["pointer"], error["message"]


def holed(width: int, height: int, mode: str = "LA") -> Image.Image:
    """With a hole from (4, 2) to (12, 10), whose alpha is 127; elsewhere it is 128."""
    image = picture(width, height, mode[:-1])
    alpha = np.full((height, width), 128, np.uint8)
    alpha[2:10, 4:12] = 127
    image.putalpha(Image.fromarray(alpha))
    return image


def test_the_newest_that_translates_answers_and_on_the_way_back_the_newest_that_can(client: TestClient) -> None:
    assert translate(client, picture(20, 30)).headers["x-forger-model"] == "drawn@1"
    assert translate(client, picture(20, 30), direction="b2a").headers["x-forger-model"] == "both@1"


@pytest.mark.parametrize("size", [(16, 16), (17, 200), (65, 33)])
def test_a_drawing_is_painted_at_its_size(client: TestClient, size: tuple[int, int]) -> None:
    painted = opened(translate(client, picture(*size), model="drawn"))
    assert (painted.size, painted.mode) == (size, "L")


@pytest.mark.parametrize(("model", "factor"), [("twice", 2), ("four", 4)])
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (200, 190)])
def test_one_that_enlarges_answers_a_larger_picture(
    client: TestClient, model: str, factor: int, size: tuple[int, int]
) -> None:
    assert opened(translate(client, picture(*size), model=model)).size == (factor * size[0], factor * size[1])


def test_alpha_is_enlarged_too(client: TestClient) -> None:
    image = picture(40, 20)
    alpha = np.full((20, 40), 255, np.uint8)
    alpha[:, :20] = 0
    image.putalpha(Image.fromarray(alpha))
    painted = opened(translate(client, image, model="twice"))
    assert (painted.size, painted.mode) == ((80, 40), "LA")
    around = np.asarray(painted.getchannel("A"))
    assert around[:, :30].max() == 0
    assert around[:, 50:].min() == 255


def test_an_answer_that_would_be_too_large_is_refused_before_it_is_made(client: TestClient) -> None:
    """A million pixels are the limit here."""
    assert opened(translate(client, picture(500, 500), model="twice")).size == (1000, 1000)
    pointer, sentence = refusal(translate(client, picture(500, 501), model="twice"))
    assert pointer == "/file"
    assert "1000 x 1002 is more than 1000000 pixels (max_pixels)" in sentence
    assert refusal(translate(client, picture(300, 300), model="four"))[0] == "/file"


def test_what_is_padded_to_too_much_is_refused_before_it_is_padded(client: TestClient) -> None:
    """800,000 pixels of the million, but the network takes sides that are multiples of 64."""
    assert opened(translate(client, picture(10_000, 16), model="deep")).size == (10_000, 16)
    pointer, sentence = refusal(translate(client, picture(50_000, 16), model="deep"))
    assert pointer == "/file"
    assert (
        "works on sides that are multiples of 64, and 50048 x 64 is more than 1000000 pixels (max_pixels)" in sentence
    )
    assert opened(translate(client, picture(50_000, 16), model="both")).size == (50_000, 16)


@pytest.mark.parametrize(("model", "pixels"), [("deep", 64 * 128), ("twice", 32 * 140), ("drawn", 16 * 72)])
def test_a_picture_waits_as_large_as_it_is_made(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, model: str, pixels: int
) -> None:
    asked, ask = list[int](), Engine.translate

    def noted(engine: Engine, *args: Any, **kwargs: Any) -> Any:
        asked.append(kwargs["pixels"])
        return ask(engine, *args, **kwargs)

    monkeypatch.setattr(Engine, "translate", noted)
    opened(translate(client, picture(70, 16), model=model))
    assert asked == [pixels]


@pytest.mark.parametrize("model", ["anywhere", "middle", "half"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_is_painted_and_the_rest_is_kept(client: TestClient, model: str, mode: str) -> None:
    image = holed(33, 20, mode)
    painted = opened(translate(client, image, model=model))
    assert (painted.size, painted.mode) == ((33, 20), "L"), "opaque"
    before, after = np.asarray(image.convert("RGB").convert("L")).astype(int), np.asarray(painted).astype(int)
    hole = np.asarray(image.getchannel("A")) < 128
    assert np.abs(before - after)[~hole].max() <= 1
    assert np.abs(before - after)[hole].mean() > 10


def test_what_lies_under_the_hole_plays_no_part(client: TestClient) -> None:
    image, other = holed(33, 20), holed(33, 20)
    other.paste((9, 0), (4, 2, 12, 10))
    assert translate(client, image, model="anywhere").content == translate(client, other, model="anywhere").content


@pytest.mark.parametrize(("model", "box"), [("middle", np.s_[8:24, 5:15]), ("half", np.s_[:, :10])])
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_without_a_hole_the_one_of_the_training_is_painted(client: TestClient, model: str, box: Any, mode: str) -> None:
    image = picture(20, 32, "L")
    if mode == "LA":
        image.putalpha(255)
    painted = opened(translate(client, image, model=model))
    assert painted.mode == "L"
    changed = np.asarray(painted) != np.asarray(image.convert("L"))
    inside = np.zeros(changed.shape, bool)
    inside[box] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.8


@pytest.mark.parametrize("format_", ["PNG", "JPEG"])
def test_a_hole_must_be_shown_where_it_could_be_anywhere(client: TestClient, format_: str) -> None:
    reply = translate(client, saved(picture(20, 32), format_), model="anywhere")
    pointer, sentence = refusal(reply)
    assert (pointer, reply.json()["code"]) == ("/file", "no_hole")
    assert "make the area to fill transparent" in sentence


@pytest.mark.parametrize("model", ["drawn", "twice", "anywhere@1"])
def test_there_is_no_way_back_from_one_that_goes_one_way(client: TestClient, model: str) -> None:
    pointer, sentence = refusal(translate(client, picture(20, 20), model=model, direction="b2a"))
    assert pointer == "/direction"
    assert "one way only: leave `direction` out" in sentence


def test_one_that_translates_nothing_says_so_whatever_the_direction(client: TestClient) -> None:
    for direction in ("a2b", "b2a"):
        pointer, sentence = refusal(translate(client, picture(20, 20), model="plain", direction=direction))
        assert pointer == "/model"
        assert "translates nothing" in sentence


@pytest.mark.parametrize("model", ["drawn", "twice", "middle"])
def test_a_translator_draws_nothing(client: TestClient, model: str) -> None:
    assert refusal(client.get("/sample", params={"model": model}))[0] == "/model"
