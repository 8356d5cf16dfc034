"""The room of translations fills holes by a search for a latent of a generator."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.support.service import Service
from tests.support.zips import noise, saved
from tests.web.conftest import Studio

MODEL = "dreams@1"
STEPS = 40
SIDE = 16


@pytest.fixture(scope="module")
def generator(service: Service) -> None:
    job = service.post(
        recipe="cdcgan", dataset="digits", budget={"steps": 20}, model="dreams", overrides={"watch": None}
    )
    service.wait_for(job, "succeeded")


@pytest.fixture
def room(studio: Studio, generator: None) -> Callable[[str], Page]:
    return lambda query: studio.goto(f"translate?model={MODEL}&steps={STEPS}&{query}")


def panel(page: Page) -> Locator:
    return page.get_by_role("region", name="Search", exact=True)


def fill(page: Page) -> Locator:
    """Start the search; return the panel when the result is there."""
    found = panel(page)
    found.get_by_role("button", name="Fill the hole").click()
    expect(found.get_by_text(f"{MODEL} filled the hole in")).to_be_visible()
    expect(found).to_have_attribute("aria-busy", "false")
    return found


def downloaded(page: Page, name: str) -> bytes:
    with page.expect_download() as download:
        panel(page).get_by_role("link", name=name).click()
    return Path(download.value.path()).read_bytes()


def example(service: Service, index: int) -> bytes:
    reply = service.client.get("/datasets/digits/pictures?format=json&n=8&seed=1").json()
    return base64.b64decode(reply["images"][index])


def searched(service: Service, picture: bytes, mask: bytes, **fields: str) -> Any:
    files = {"file": ("x.png", picture), "mask": ("mask.png", mask)}
    data = {"model": MODEL, "steps": str(STEPS)} | fields
    reply = service.client.post("/inpaint", files=files, data=data, headers={"Accept": "application/json"})
    assert reply.status_code == 200, reply.text
    return reply.json()


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(np.int16)


def test_room_with_generators_alone_leads_to_translators_too(room: Callable[[str], Page]) -> None:
    page = room("")
    page.get_by_role("link", name="Paint drawings").click()
    expect(page).to_have_url(re.compile(r"/studio/new\?family=pix2pix"))


def test_painted_hole_is_filled_as_by_the_api(room: Callable[[str], Page], service: Service) -> None:
    page = room("seed=3&class=0")
    expect(page.locator("optgroup[label='Fill holes by search'] option")).to_have_text([MODEL])
    page.get_by_role("button", name="Example 1").click()
    page.get_by_role("button", name="Clear").click()
    box = page.get_by_label("The picture and its hole").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(panel(page).get_by_text("Nothing is filled yet.")).to_be_visible()
    found = fill(page)
    mask, filled = downloaded(page, "Download the mask"), downloaded(page, "Download PNG")
    reply = searched(service, example(service, 0), mask, seed="3", **{"class": "0"})
    assert filled == base64.b64decode(reply["image"])
    hole = pixels(mask) > 0
    assert 0 < hole.sum() < hole.size / 4
    assert np.array_equal(pixels(filled)[~hole], pixels(example(service, 0))[~hole])
    expect(found.get_by_text(f"PSNR of the known part: {reply['psnr']:.1f} dB")).to_be_visible()
    expect(found.get_by_role("img", name="The whole sample")).to_have_attribute(
        "src", f"data:image/png;base64,{reply['sample']}"
    )


def test_mask_has_the_size_of_a_picture_that_is_no_square(room: Callable[[str], Page], tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    path.write_bytes(saved(noise(40, 24, 1, "L")))
    page = room("")
    page.get_by_label("Choose pictures").set_input_files(path)
    page.get_by_role("button", name="Left half").click()
    fill(page)
    mask = pixels(downloaded(page, "Download the mask"))
    expected = np.zeros((24, 40), np.int16)
    expected[:, 8:20] = 255
    assert np.array_equal(mask, expected)
    assert pixels(downloaded(page, "Download PNG")).shape == (SIDE, SIDE)


def test_hole_is_painted_and_filled_by_keyboard(room: Callable[[str], Page]) -> None:
    page = room("")
    page.get_by_role("button", name="Example 2").press("Enter")
    page.get_by_role("button", name="Clear").press("Enter")
    page.get_by_label("The picture and its hole").focus()
    for key in ("Space", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    panel(page).get_by_label("Class").select_option("7")
    panel(page).get_by_label("Steps").press("Enter")
    expect(panel(page).get_by_text(f"{MODEL} filled the hole in {STEPS} steps, class 7.")).to_be_visible()


def test_result_goes_with_the_picture_that_it_was_found_for(room: Callable[[str], Page]) -> None:
    page = room("")
    page.get_by_role("button", name="Example 1").click()
    found = fill(page)
    expect(found.get_by_role("slider", name="Before and after")).to_have_value("50")
    page.get_by_role("button", name="Example 2").click()
    expect(found.get_by_role("link", name="Download PNG")).to_be_hidden()
    expect(found.get_by_text("Nothing is filled yet.")).to_be_visible()
    expect(found.get_by_role("status")).to_be_empty()
    fill(page)
    expect(found.get_by_role("link", name="Download PNG")).to_be_visible()


def test_search_reports_progress_and_can_be_stopped(room: Callable[[str], Page]) -> None:
    page = room("")
    page.get_by_role("button", name="Example 1").click()
    panel(page).get_by_label("Steps").fill("1000")
    expect(panel(page).get_by_text("Nothing is filled yet.")).to_be_visible()
    panel(page).get_by_role("button", name="Fill the hole").click()
    expect(panel(page).get_by_text(re.compile(r"^Step \d+ of 1000\. PSNR of the known part"))).to_be_visible()
    expect(panel(page).get_by_text("Nothing is filled yet.")).to_be_hidden()
    expect(panel(page).get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(panel(page).get_by_text("The search was stopped.")).to_be_visible()
    expect(panel(page).get_by_text("Nothing is filled yet.")).to_be_visible()
    expect(panel(page).get_by_role("button", name="Fill the hole")).to_be_focused()


def test_address_holds_the_settings_of_the_search(room: Callable[[str], Page]) -> None:
    page = room("")
    panel(page).get_by_label("Class").select_option("4")
    panel(page).get_by_label("Seed", exact=True).fill("9")
    panel(page).get_by_label("Seed", exact=True).press("Tab")
    expect(page).to_have_url(re.compile(f"class=4.*seed=9.*steps={STEPS}|steps={STEPS}.*class=4.*seed=9"))
    page.reload()
    expect(panel(page).get_by_label("Class")).to_have_value("4")
    expect(panel(page).get_by_label("Seed", exact=True)).to_have_value("9")
    expect(panel(page).get_by_label("Steps")).to_have_value(str(STEPS))


def test_search_is_copied_as_requests(
    open_studio: Callable[..., Studio], service: Service, generator: None, tmp_path: Path
) -> None:
    path = tmp_path / "my digit.png"
    path.write_bytes(example(service, 0))
    studio = open_studio(service.url, permissions=["clipboard-read", "clipboard-write"])
    page = studio.goto(f"translate?model={MODEL}&steps={STEPS}&class=7")
    page.get_by_label("Choose pictures").set_input_files(path)
    page.get_by_role("button", name="Left half").click()
    fill(page)
    for words, parts in (
        ("curl", ("-F 'file=@my digit.png' -F mask=@mask.png", f"-F steps={STEPS}", "-F class=7", "/inpaint")),
        ("CLI", ("forger inpaint 'my digit.png' mask.png", f"--model {MODEL} --class 7 --seed 0 --steps {STEPS}")),
        ("Python", ('.inpaint("my digit.png", "mask.png"', f'class_="7", seed=0, steps={STEPS})')),
    ):
        panel(page).get_by_role("button", name=f"Copy as {words}").click()
        expect(page.get_by_text(f"The {words} is in the clipboard.")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert all(part in copied for part in parts), copied


def test_what_is_missing_and_what_is_refused_are_sentences(
    studio: Studio, room: Callable[[str], Page], tmp_path: Path
) -> None:
    clear = tmp_path / "clear.png"
    clear.write_bytes(saved(Image.new("RGBA", (24, 24), (0, 0, 0, 0))))
    studio.expected = ("422",)
    page = room("")
    panel(page).get_by_role("button", name="Fill the hole").click()
    expect(panel(page).get_by_role("alert")).to_contain_text("There is no hole yet")
    page.get_by_label("Choose pictures").set_input_files(clear)
    expect(page.get_by_label("The picture and its hole")).to_be_visible()
    panel(page).get_by_role("button", name="Fill the hole").click()
    expect(panel(page).get_by_role("alert")).to_contain_text("white everywhere")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_search_has_no_serious_barrier_and_fits_a_phone(
    service: Service, open_studio: Callable[..., Studio], generator: None, scheme: str
) -> None:
    page = open_studio(service.url, color_scheme=scheme).goto(f"translate?model={MODEL}&steps={STEPS}")
    page.get_by_role("button", name="Example 1").click()
    fill(page)
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
