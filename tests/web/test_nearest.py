"""The sample room shows the nearest training picture beside a sample, with its distance."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.service import Service
from tests.web.conftest import Studio


@pytest.fixture(scope="module")
def model(service: Service) -> str:
    """A small model of digits."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}, "model": "copied"}
    job = service.client.post("/jobs", json=body).json()["id"]
    service.wait_for(job, "succeeded")
    return "copied@1"


def test_chosen_sample_stands_beside_its_nearest_training_picture(studio: Studio, model: str) -> None:
    page = studio.goto(f"sample?model={model}&n=4&seed=3")
    page.get_by_role("button", name="Nearest training picture").click()
    beside = page.get_by_role("complementary", name="Nearest training picture")
    expect(beside.get_by_role("img", name="sample 1")).to_be_visible()
    page.get_by_role("button", name="Sample 3").press("Enter")
    expect(beside.get_by_role("img", name="sample 3")).to_be_visible()
    expect(beside.get_by_role("img", name=re.compile("training picture"))).to_be_visible()
    expect(beside).to_contain_text("between real ones")
    expect(page).to_have_url(re.compile("picked=2"))
    page.reload()
    expect(beside.get_by_role("img", name="sample 3")).to_be_visible()
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not found, found
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nearest_picture_of_a_training_picture_is_itself_at_distance_0(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    file = tmp_path / "real.png"
    file.write_bytes(service.client.get("/datasets/digits/pictures?n=1&seed=5").content)
    page = studio.goto(f"sample?model={model}&n=4&seed=3&view=nearest")
    page.get_by_label("Compare a file").set_input_files(file)
    beside = page.get_by_role("complementary", name="Nearest training picture")
    expect(beside).to_contain_text("equal to the pixel")
    expect(beside.get_by_role("definition").first).to_have_text("0")


def test_refused_file_is_a_sentence_on_the_page(studio: Studio, model: str, tmp_path: Path) -> None:
    studio.expected = ("415",)
    file = tmp_path / "notes.png"
    file.write_text("no picture")
    page = studio.goto(f"sample?model={model}&n=4&seed=3&view=nearest")
    page.get_by_label("Compare a file").set_input_files(file)
    expect(page.get_by_role("complementary").get_by_role("alert")).not_to_be_empty()
