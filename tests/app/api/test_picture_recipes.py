"""Every PNG of /sample and /translate carries what drew it, and can be drawn again by that."""

import base64
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from app.api.routes import samples
from forger import picture_recipe
from forger.wire import VERSION
from tests.app.api.conftest import Publish, publish_all
from tests.support.pictures import pixels
from tests.support.png_chunks import chunks
from tests.support.zips import picture

Array = NDArray[Any]


@pytest.fixture(scope="module", autouse=True)
def models(publish: Publish) -> None:
    publish_all(publish, "points", "brackets", "night", "plain", "digits")


def get(client: TestClient, query: str) -> Any:
    reply = client.get(f"/sample?{query}")
    assert reply.status_code == 200, reply.text
    return reply


def pngs(client: TestClient, query: str) -> list[bytes]:
    return [base64.b64decode(image) for image in get(client, f"{query}&format=json").json()["images"]]


def test_a_sheet_has_the_recipe_of_the_request(client: TestClient) -> None:
    data = get(client, "class=7&seed=1&n=4&temperature=0.5").content
    recipe = {"model": "digits@1", "seed": 1, "class": 7, "temperature": 0.5, "version": VERSION, "n": 4, "index": None}
    assert picture_recipe(data) == recipe
    text = Image.open(io.BytesIO(data)).text["forger"]  # type: ignore[attr-defined]
    assert text.isascii()
    assert " " not in text, "compact"
    assert [kind for kind, _ in chunks(data)] == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]
    drawn = picture_recipe(get(client, "class=each&n=2").content)
    assert drawn is not None
    assert (drawn["class"], drawn["n"]) == ("each", 2)
    assert picture_recipe(get(client, f"class=each&n=2&seed={drawn['seed']}").content) == drawn
    assert picture_recipe(get(client, "model=plain&seed=1").content) == recipe | {
        "model": "plain@1", "class": None, "temperature": 1.0, "n": 1,
    }  # fmt: skip


def test_the_pixels_are_those_that_the_engine_drew(client: TestClient) -> None:
    query = "class=7&seed=1&n=3"
    array = np.load(io.BytesIO(get(client, f"{query}&format=npy").content))
    assert (np.stack([pixels(data) for data in pngs(client, query)]) == array[..., 0]).all()
    webp = pixels(get(client, f"{query}&format=webp").content)
    assert (pixels(get(client, query).content) == webp[..., 0]).all()


@pytest.mark.parametrize("query", ["class=each&n=2&seed=5", "model=digits&n=6&seed=5", "model=plain&n=3&seed=5"])
def test_one_of_several_is_drawn_again_by_its_own_recipe(client: TestClient, query: str) -> None:
    found = pngs(client, query)
    for data in found:
        recipe = picture_recipe(data)
        assert recipe is not None
        label = "" if recipe["class"] is None else f"&class={recipe['class']}"
        again = pngs(client, f"model={recipe['model']}&seed={recipe['seed']}&n={recipe['index'] + 1}{label}")[-1]
        assert (pixels(again) == pixels(data)).all()
    with zipfile.ZipFile(io.BytesIO(get(client, f"{query}&format=zip").content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == found


@pytest.mark.parametrize("name", ["points", "brackets"])
def test_plots_carry_it_too(client: TestClient, name: str) -> None:
    recipe = picture_recipe(get(client, f"model={name}&seed=1&n=5&format=png").content)
    assert recipe is not None
    assert (recipe["model"], recipe["n"]) == (f"{name}@1", 5)
    with zipfile.ZipFile(io.BytesIO(get(client, f"model={name}&seed=1&n=5&format=zip").content)) as archive:
        (plot,) = (archive.read(file) for file in archive.namelist() if file.endswith(".png"))
    assert picture_recipe(plot) == recipe


@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_a_translation_names_model_and_direction(client: TestClient, direction: str) -> None:
    sent = {"files": {"file": picture(1, 32, 32)}, "data": {"direction": direction}}
    reply = client.post("/translate", **sent)  # type: ignore[arg-type]
    assert picture_recipe(reply.content) == {"model": "night@1", "direction": direction, "version": VERSION}
    webp = client.post("/translate", headers={"Accept": "image/webp"}, **sent)  # type: ignore[arg-type]
    assert webp.headers["content-type"] == "image/webp"
    assert b"night@1" not in webp.content


def test_an_etag_names_the_version_of_forger(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes name it, so an older version's copy of the same samples is another answer."""
    first = get(client, "class=7&seed=1").headers["etag"]
    monkeypatch.setattr(samples, "VERSION", "0.0.9")
    older = get(client, "class=7&seed=1").headers["etag"]
    assert older != first
    assert client.get("/sample?class=7&seed=1", headers={"If-None-Match": first}).status_code == 200
