"""The room of translations enlarges pictures: plainly on one side, by a model on the other."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.support.service import Service
from tests.support.zips import noise, saved
from tests.web.conftest import Studio
from tests.web.page_pictures import read

MODEL = "larger@1"


@pytest.fixture(scope="module")
def enlarger(service: Service) -> None:
    job = service.post(
        recipe="srgan", dataset="digits", budget={"steps": 10}, model="larger", overrides={"watch": None}
    )
    service.wait_for(job, "succeeded")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A picture that is neither square nor of the size of training."""
    path = tmp_path / "small.png"
    path.write_bytes(saved(noise(40, 24, 1, "L")))
    return path


@pytest.fixture
def room(studio: Studio, enlarger: None) -> Callable[[str], Page]:
    return lambda query: studio.goto(f"translate?model={MODEL}&{query}")


def choose(page: Page, path: Path) -> Locator:
    """Choose a picture; return the part with the result, when it is there."""
    page.get_by_label("Choose pictures").set_input_files(path)
    result = page.get_by_label("Result", exact=True)
    expect(result.get_by_role("link", name="Download PNG")).to_be_visible()
    expect(result).to_have_attribute("aria-busy", "false")
    return result


def pixels(data: bytes) -> NDArray[np.int16]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")).astype(np.int16)


def test_picture_of_any_size_is_enlarged_as_by_the_api(
    room: Callable[[str], Page], service: Service, small: Path
) -> None:
    page = room("")
    expect(page.locator("optgroup[label='Enlarge pictures'] option")).to_have_text([MODEL])
    expect(page.get_by_text("makes each side 2 times larger. It learned to enlarge pictures of 8 px.")).to_be_visible()
    expect(page.get_by_label("Size of the picture")).to_contain_text("the least, 16 px")
    result = choose(page, small)
    expect(result.get_by_text("From 40 × 24 to 80 × 48 px")).to_be_visible()
    reply = service.client.post("/upscale", files={"file": ("x.png", small.read_bytes())}, data={"model": MODEL})
    with page.expect_download() as download:
        result.get_by_role("link", name="Download PNG").click()
    assert Path(download.value.path()).read_bytes() == reply.content
    assert np.array_equal(pixels(read(result.get_by_alt_text("by the model"))), pixels(reply.content))


def test_words_of_the_examples_follow_the_model(room: Callable[[str], Page], service: Service) -> None:
    job = service.post(
        recipe="cdcgan", dataset="digits", budget={"steps": 5}, model="dreams", overrides={"watch": None}
    )
    service.wait_for(job, "succeeded")
    page = room("")
    expect(page.get_by_text("Examples of digits: one click translates.")).to_be_visible()
    page.get_by_label("Model").select_option("dreams@1")
    expect(page.get_by_text("Examples of digits: one click puts it on the pad.")).to_be_visible()
    page.get_by_label("Model").select_option(MODEL)
    expect(page.get_by_text("Examples of digits: one click translates.")).to_be_visible()


def test_picture_stands_beside_itself_enlarged_plainly(room: Callable[[str], Page], small: Path) -> None:
    page = room("")
    result = choose(page, small)
    repeated = np.kron(pixels(small.read_bytes()), np.ones((2, 2), np.int16))
    assert np.array_equal(pixels(read(result.get_by_alt_text("repeated pixels"))), repeated)
    page.get_by_label("Compare with").select_option("bilinear interpolation")
    expect(result.get_by_alt_text("bilinear interpolation")).to_be_visible()
    with Image.open(small) as picture:
        blended = np.asarray(picture.resize((80, 48), Image.Resampling.BILINEAR)).astype(np.int16)
    assert np.abs(pixels(read(result.get_by_alt_text("bilinear interpolation"))) - blended).max() <= 2
    page.reload()
    expect(page.get_by_label("Compare with")).to_have_value("bilinear")


def test_enlargement_is_copied_as_requests(
    open_studio: Callable[..., Studio], service: Service, enlarger: None, small: Path
) -> None:
    page = open_studio(service.url, permissions=["clipboard-read", "clipboard-write"]).goto(f"translate?model={MODEL}")
    result = choose(page, small)
    for words, part in (
        ("curl", f"-F file=@small.png -F model={MODEL} {service.url}/upscale"),
        ("CLI", f"forger upscale small.png -o enlarged.png --model {MODEL}"),
        ("Python", f'.upscale("small.png", model="{MODEL}")'),
    ):
        result.get_by_role("button", name=f"Copy as {words}").click()
        expect(page.get_by_text(f"The {words} is in the clipboard.")).to_be_visible()
        assert part in page.evaluate("navigator.clipboard.readText()")


def test_picture_too_small_to_enlarge_is_a_sentence(
    studio: Studio, room: Callable[[str], Page], tmp_path: Path
) -> None:
    studio.expected = ("422",)
    path = tmp_path / "tiny.png"
    path.write_bytes(saved(noise(1, 1, 1, "L")))
    page = room("")
    page.get_by_label("Choose pictures").set_input_files(path)
    expect(page.get_by_label("Result", exact=True).get_by_role("alert")).to_contain_text("16")


def test_enlarging_has_no_serious_barrier_and_fits_a_phone(
    studio: Studio, room: Callable[[str], Page], small: Path
) -> None:
    page = room("")
    choose(page, small)
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
