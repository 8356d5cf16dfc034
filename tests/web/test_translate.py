"""The room that translates pictures, in a real browser: what is seen equals what the HTTP interface answers."""

import base64
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from models.games.degrade import edges
from tests.support.service import Service
from tests.support.zips import noise, saved
from tests.web.conftest import Studio
from tests.web.page_pictures import read, transfer

Pixels = NDArray[np.int16]
SCENES, DRAWN, HOLES = "scenes@1", "drawn@1", "holes@1"
SMALL = {"generator": {"width": 4, "blocks": 1}, "watch": None}
CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const context = canvas.getContext("2d");
  setInterval(() => {
    context.fillStyle = `rgb(200 120 ${Math.random() * 50})`;
    context.fillRect(0, 0, 64, 48);
  }, 40);
  return canvas.captureStream(25);
};"""


@pytest.fixture(scope="module")
def translators(service: Service) -> None:
    """Train a translator of scenes both ways, one that paints drawings and one that fills holes."""
    jobs = [
        service.post(recipe="cyclegan", dataset="day2night", budget={"steps": 4}, model="scenes", overrides=SMALL),
        service.post(
            recipe="pix2pix", dataset="digits", budget={"steps": 20}, model="drawn", overrides={"watch": None}
        ),
        service.post(
            recipe="inpaint", dataset="digits", budget={"steps": 20}, model="holes", overrides={"watch": None}
        ),
    ]
    for job in jobs:
        service.wait_for(job, "succeeded")


@pytest.fixture
def room(studio: Studio, translators: None) -> Callable[[str], Page]:
    """Open the room with a query."""
    return lambda query: studio.goto(f"translate?{query}")


def scene(seed: int = 1) -> bytes:
    return saved(noise(40, 24, seed, "RGB"))


def drop(page: Page, *files: tuple[str, bytes]) -> None:
    expect(page.locator(".drop")).to_be_visible()
    page.dispatch_event(".drop", "drop", {"dataTransfer": transfer(page, *files)})


def translated(service: Service, data: bytes, model: str, direction: str = "a2b") -> bytes:
    reply = service.client.post(
        "/translate", files={"file": ("x.png", data)}, data={"model": model, "direction": direction}
    )
    assert reply.status_code == 200, reply.text
    return reply.content


def pixels(data: bytes, mode: str = "RGB") -> Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(np.int16)


def result(page: Page) -> Locator:
    return page.get_by_label("Result", exact=True)


def after(page: Page) -> bytes:
    """Return the translated picture, once it is there."""
    expect(result(page).get_by_role("link", name="Download PNG")).to_be_visible()
    expect(result(page)).to_have_attribute("aria-busy", "false")
    return read(result(page).get_by_alt_text("after"))


def before(page: Page) -> bytes:
    return read(result(page).get_by_alt_text("before"))


def test_dropped_picture_is_translated_as_by_the_api(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={SCENES}")
    drop(page, ("meadow.png", scene()))
    expect(result(page).get_by_role("link", name="Download PNG")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PNG").click()
    assert download.value.suggested_filename == f"meadow-{SCENES}.png"
    assert Path(download.value.path()).read_bytes() == translated(service, scene(), SCENES)


def test_slider_moves_by_drag_click_and_arrow_key(room: Callable[[str], Page]) -> None:
    page = room(f"model={SCENES}")
    drop(page, ("meadow.png", scene()))
    slider = page.get_by_role("slider", name="Before and after")
    expect(slider).to_have_value("50")
    box = result(page).locator(".before-after").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.click(box["x"] + 0.2 * box["width"], middle)
    expect(slider).to_have_value("20")
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=4)
    page.mouse.up()
    expect(slider).to_have_value("70")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("71")
    expect(result(page).locator(".before-after > div")).to_have_css("clip-path", "inset(0px 29% 0px 0px)")


def test_pasted_picture_is_translated(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={SCENES}")
    expect(page.locator(".drop")).to_be_visible()
    page.evaluate(
        "(data) => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data}))",
        transfer(page, ("pasted.png", scene(2))),
    )
    assert np.array_equal(pixels(after(page)), pixels(translated(service, scene(2), SCENES)))


def test_picture_of_the_camera_is_translated(studio: Studio, room: Callable[[str], Page]) -> None:
    studio.page.add_init_script(CAMERA)
    page = room(f"model={SCENES}")
    page.get_by_role("button", name="Take a picture").click()
    page.get_by_role("button", name="Take it").click()
    assert pixels(after(page)).shape == (48, 64, 3)
    assert page.get_by_role("dialog").count() == 0


def test_way_back_and_its_difference_equal_those_of_numpy(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={SCENES}&direction=b2a")
    drop(page, ("night.png", scene()))
    page.get_by_role("checkbox", name="The way back").check()
    there = translated(service, scene(), SCENES, "b2a")
    back = translated(service, there, SCENES, "a2b")
    difference = np.abs(pixels(scene()) - pixels(back)).mean(axis=2)
    journey = page.get_by_role("region", name="The way back")
    expect(journey.get_by_text("differs from the original")).to_contain_text(f"by {difference.mean():.2f} of 255")
    assert np.array_equal(pixels(read(journey.get_by_alt_text("b → a → b"))), pixels(back))
    map_ = pixels(read(journey.get_by_role("img", name="Difference map"))).sum(axis=2)
    assert map_[difference == difference.max()].min() == map_.max()
    assert map_[difference == difference.min()].max() == map_.min()


def test_drawing_is_translated_by_mouse_and_by_keyboard(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={DRAWN}")
    board = page.get_by_label("Drawing pad")
    box = board.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    page.mouse.up()
    first = after(page)
    drawing = before(page)
    assert pixels(drawing).min() < 100
    assert np.array_equal(pixels(first), pixels(translated(service, drawing, DRAWN)))
    board.focus()
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "Space"):
        page.keyboard.press(key)
    second = after(page)
    assert not np.array_equal(pixels(before(page)), pixels(drawing))
    assert np.array_equal(pixels(second), pixels(translated(service, before(page), DRAWN)))
    page.get_by_role("button", name="Undo").click()
    after(page)
    assert np.array_equal(pixels(before(page)), pixels(drawing))


def test_example_becomes_the_lines_that_training_makes_of_it(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={DRAWN}")
    page.get_by_role("button", name="Example 3").click()
    after(page)
    reply = service.client.get("/datasets/digits/pictures?format=json&n=8&seed=1").json()
    example = pixels(base64.b64decode(reply["images"][2]), "L")
    lines = edges(torch.from_numpy(example / 127.5 - 1)[None, None])[0, 0].numpy()
    assert np.abs((lines + 1) * 127.5 - pixels(before(page), "L")).max() < 1


def test_only_the_painted_hole_is_filled(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={HOLES}")
    page.get_by_role("button", name="Example 1").click()
    after(page)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("Paint over the part")).to_be_visible()
    box = page.get_by_label("The picture and its hole").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_text("Paint over the part")).to_have_count(0)
    filled = pixels(after(page), "L")
    reply = service.client.get("/datasets/digits/pictures?format=json&n=8&seed=1").json()
    example = pixels(base64.b64decode(reply["images"][0]), "L")
    hole = pixels(before(page), "RGBA")[..., 3] == 0
    assert 0 < hole.sum() < hole.size / 4
    assert np.array_equal(filled[~hole], example[~hole])
    assert not np.array_equal(filled[hole], example[hole])


def test_three_files_end_in_a_zip_of_three_pictures(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={SCENES}&direction=b2a")
    drop(page, *((f"{seed}.png", scene(seed)) for seed in (1, 2, 3)))
    page.get_by_role("button", name="Translate 3 pictures").click()
    expect(page).to_have_url(re.compile("view=many.*job=job_"))
    expect(page.get_by_text("3 of 3 pictures")).to_be_visible()
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert sorted(archive.namelist()) == ["1.png", "2.png", "3.png"]
        for seed in (1, 2, 3):
            expected = pixels(translated(service, scene(seed), SCENES, "b2a"))
            assert np.array_equal(pixels(archive.read(f"{seed}.png")), expected)


def test_picture_of_translate_brings_its_settings_back(room: Callable[[str], Page], service: Service) -> None:
    page = room(f"model={DRAWN}")
    drop(page, ("result.png", translated(service, scene(), SCENES, "b2a")))
    expect(page.locator("#model")).to_have_value(SCENES)
    expect(page.get_by_role("button", name="b → a")).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile("direction=b2a"))
    page.get_by_role("button", name="Translate this picture").click()
    assert pixels(after(page)).shape == (24, 40, 3)


def test_address_holds_the_view(room: Callable[[str], Page]) -> None:
    page = room(f"model={SCENES}")
    page.get_by_role("button", name="b → a").click()
    page.get_by_role("checkbox", name="The way back").check()
    page.get_by_label("Size of the picture").select_option("training")
    page.reload()
    expect(page.get_by_role("button", name="b → a")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("checkbox", name="The way back")).to_be_checked()
    expect(page.get_by_label("Size of the picture")).to_have_value("training")


def test_refused_picture_is_a_sentence_beside_the_result(studio: Studio, room: Callable[[str], Page]) -> None:
    studio.expected = ("422", "415")
    page = room(f"model={SCENES}")
    drop(page, ("tiny.png", saved(noise(8, 8, 1, "RGB"))))
    expect(result(page).get_by_role("alert")).to_contain_text("16")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_serious_barrier(
    service: Service, open_studio: Callable[..., Studio], translators: None, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    barriers = []
    for query in (f"model={SCENES}&back=on", f"model={DRAWN}", f"model={HOLES}", f"model={SCENES}&view=many"):
        page = studio.goto(f"translate?{query}")
        if "many" not in query:
            page.get_by_role("button", name="Example 1").click()
            after(page)
        page.wait_for_load_state("networkidle")
        barriers += [
            f"{query}: {one['id']} {[node['target'] for node in one['nodes']]}"
            for one in Axe().run(page).response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    assert not barriers, "\n".join(barriers)


def test_phone_has_no_sideways_scroll(room: Callable[[str], Page], studio: Studio) -> None:
    studio.page.set_viewport_size({"width": 390, "height": 844})
    for model in (SCENES, DRAWN, HOLES):
        page = room(f"model={model}&back=on")
        page.get_by_role("button", name="Example 1").click()
        after(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, model


def test_without_a_translator_the_room_leads_to_one(
    start_service: Callable[..., Service], open_studio: Callable[..., Studio]
) -> None:
    page = open_studio(start_service().url).goto("translate")
    page.get_by_role("link", name="Paint drawings").click()
    expect(page).to_have_url(re.compile(r"/studio/new\?family=pix2pix"))
    expect(page.get_by_role("heading", name="New job")).to_be_visible()
