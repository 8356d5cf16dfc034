"""The address of a job's page holds the whole view, and the list of jobs follows what others delete."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.support.service import Service
from tests.web.conftest import Studio

RING = {"recipe": "r3gan", "dataset": "ring8", "budget": {"steps": 60}}


@pytest.fixture(scope="module")
def finished(service: Service) -> str:
    job_id: str = service.client.post("/jobs", json=RING).json()["id"]
    service.wait_for(job_id, "succeeded")
    return job_id


def test_hidden_curve_layer_and_zoom_open_again_from_the_address(
    studio: Studio, service: Service, finished: str, open_studio: Callable[..., Studio]
) -> None:
    page = studio.goto(f"jobs/{finished}")
    penalty = page.get_by_role("button", name="critic/r1")
    penalty.click()
    expect(penalty).to_have_attribute("aria-pressed", "false")
    expect(page).to_have_url(re.compile("hidden=critic%2Fr1"))
    page.get_by_label("landscape").uncheck()
    expect(page).to_have_url(re.compile(r"layers=real%2Cgenerated%2Cgradients"))
    page.get_by_label("First step in view").fill("20")
    page.get_by_label("First step in view").press("Enter")
    expect(page).to_have_url(re.compile("from=20"))

    other = open_studio(service.url).page
    other.goto(page.url)
    expect(other.get_by_role("button", name="critic/r1")).to_have_attribute("aria-pressed", "false")
    expect(other.get_by_role("button", name="critic/relativistic")).to_have_attribute("aria-pressed", "true")
    expect(other.get_by_label("landscape")).not_to_be_checked()
    expect(other.get_by_label("grid", exact=True)).not_to_be_checked()
    expect(other.get_by_label("real", exact=True)).to_be_checked()
    expect(other.get_by_label("First step in view")).to_have_value("20")


def test_strip_of_pictures_is_one_stop_of_tab_and_moves_by_arrow_keys(studio: Studio, finished: str) -> None:
    page = studio.goto(f"jobs/{finished}")
    strip = page.get_by_role("toolbar", name="Pictures by step").get_by_role("button")
    expect(strip.nth(1)).to_be_visible()
    stop = page.locator(".strip button[tabindex='0']")
    expect(stop).to_have_count(1)
    expect(strip.last).to_have_attribute("aria-pressed", "true")
    strip.last.press("ArrowLeft")
    step = strip.nth(strip.count() - 2).get_attribute("data-step")
    expect(stop).to_have_attribute("data-step", step or "")
    expect(stop).to_be_focused()
    expect(page).to_have_url(re.compile(f"step={step}$"))
    stop.press("ArrowRight")
    expect(strip.last).to_be_focused()


def test_job_that_somebody_else_deletes_leaves_the_list(studio: Studio, service: Service, finished: str) -> None:
    deleted = service.client.post("/jobs", json={**RING, "budget": {"steps": 5}, "overrides": {"watch": None}}).json()
    service.wait_for(deleted["id"], "succeeded")
    page = studio.goto("jobs")
    row = page.locator(f'[data-job="{deleted["id"]}"]')
    expect(row).to_be_visible()
    # The page may be asking for the job or its pictures when it goes.
    studio.expected = (f"/jobs/{deleted['id']}",)
    assert service.client.delete(f"/jobs/{deleted['id']}").status_code == 204
    expect(row).to_have_count(0)
    expect(page.locator(f'[data-job="{finished}"]')).to_be_visible()


def test_upload_names_the_files_that_it_left_out(studio: Studio, tmp_path: Path) -> None:
    archive = tmp_path / "partly-damaged.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(10):
            content = io.BytesIO()
            Image.new("RGB", (32, 32), (20 * number, 90, 160)).save(content, "PNG")
            file.writestr(f"{'warm' if number % 2 else 'cold'}/{number}.png", content.getvalue())
        file.writestr("cold/broken.png", b"no picture")
    page = studio.goto("datasets")
    page.get_by_text("Upload a dataset").click()
    page.get_by_label("Choose a ZIP").set_input_files(archive)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("heading", name="1 left out, damaged")).to_be_visible()
    expect(page.get_by_text("cold/broken.png").first).to_be_visible()
    expect(page.get_by_text("cold 5, warm 5")).to_be_visible()
