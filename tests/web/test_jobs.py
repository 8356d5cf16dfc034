"""The rooms of jobs, in a real browser: a table that is live, and one job whose curves lose nothing."""

import re
from collections.abc import Callable

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.service import Service
from tests.support.wait import until
from tests.web.conftest import Studio

SMALL = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 400}}


def create(client: httpx.Client, **body: object) -> str:
    reply = client.post("/jobs", json=body)
    assert reply.status_code == 201, reply.text
    job_id: str = reply.json()["id"]
    return job_id


def stored_points(client: httpx.Client, job_id: str) -> int:
    curves = client.get(f"/jobs/{job_id}/metrics", params={"points": 2000}).json()["data"]
    return sum(len(curve["points"]) for curve in curves)


def shown_points(page: Page) -> int:
    return int(page.locator("[data-points]").get_attribute("data-points") or 0)


@pytest.fixture(scope="module")
def finished(service: Service) -> str:
    job_id = create(service.client, **SMALL)
    service.wait_for(job_id, "succeeded")
    return job_id


def test_new_job_appears_and_moves_without_a_reload(studio: Studio, service: Service) -> None:
    page = studio.goto("jobs")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    expect(page.locator("nav .state")).to_have_text("live")
    job_id = create(service.client, **SMALL)
    row = page.locator(f'[data-job="{job_id}"]')
    expect(row).to_be_visible()
    expect(row).to_contain_text("succeeded")
    expect(row).to_contain_text("400 of 400")
    expect(row.locator("img")).to_be_visible()


def test_filters_stay_in_the_address(studio: Studio, finished: str) -> None:
    page = studio.goto("jobs?state=failed")
    expect(page.get_by_text("No job matches these filters.")).to_be_visible()
    page.get_by_label("Filter by state").select_option("succeeded")
    expect(page.locator(f'[data-job="{finished}"]')).to_be_visible()
    expect(page).to_have_url(re.compile(r"state=succeeded"))


def test_curves_hold_every_point_after_reload_and_lost_connection(
    service: Service, open_studio: Callable[..., Studio]
) -> None:
    job_id = create(
        service.client, recipe="gan", dataset="ring8", budget={"steps": 1200}, overrides={"report_every": 10}
    )
    studio = open_studio(service.url)
    studio.expected = ("ERR_INTERNET_DISCONNECTED", "Failed to fetch", "net::ERR")
    page = studio.goto(f"jobs/{job_id}")
    expect(page.locator(".chart").first).to_be_visible()
    until(lambda: shown_points(page) > 40)
    page.reload()
    until(lambda: shown_points(page) > 80)
    page.context.set_offline(True)
    page.wait_for_timeout(1500)
    page.context.set_offline(False)
    service.wait_for(job_id, "succeeded")
    expect(page.locator("h1 + .state")).to_have_text("succeeded")
    expect(page.locator("[data-points]")).to_have_attribute("data-points", str(stored_points(service.client, job_id)))


def test_step_cursor_moves_the_picture_and_stays_in_the_address(studio: Studio, finished: str) -> None:
    page = studio.goto(f"jobs/{finished}")
    picture = page.locator(".film .sheet")
    expect(picture).to_be_visible()
    newest = picture.get_attribute("src")
    slider = page.get_by_label("Step", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    expect(picture).not_to_have_attribute("src", newest or "")
    expect(page).to_have_url(re.compile(r"step=0"))
    earliest = picture.get_attribute("src")
    page.reload()
    expect(page.locator(".film .sheet")).to_have_attribute("src", earliest or "")


def test_keyboard_alone_opens_a_job_and_comes_back(studio: Studio, finished: str) -> None:
    page = studio.goto("jobs")
    expect(page.locator(f'[data-job="{finished}"]')).to_be_visible()
    page.locator(".jobs-row").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/studio/jobs/job_"))
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page).to_have_url(re.compile(r"/studio/jobs$"))


def test_pause_and_resume_from_the_page(studio: Studio, service: Service) -> None:
    job_id = create(service.client, recipe="gan", dataset="ring8", budget={"steps": 20000})
    page = studio.goto(f"jobs/{job_id}")
    expect(page.locator("h1 + .state")).to_have_text("running")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("h1 + .state")).to_have_text("paused")
    page.locator("main").get_by_role("button", name="Resume").click()
    expect(page.locator("h1 + .state")).to_have_text("running")
    expect(page.get_by_text(re.compile(r"^[1-9][0-9,]* of 20,000$"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.locator("h1 + .state")).to_have_text("cancelled")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the job").click()
    expect(page).to_have_url(re.compile(r"/studio/jobs$"))
    assert service.client.get(f"/jobs/{job_id}").status_code == 404


def test_unknown_job_says_so(studio: Studio) -> None:
    studio.expected = ("404",)
    page = studio.goto("jobs/job_nothing")
    expect(page.get_by_role("alert")).to_contain_text("There is no job")


def test_lab_moves_as_the_training_goes_on(service: Service, open_studio: Callable[..., Studio]) -> None:
    job_id = create(service.client, recipe="gan", dataset="ring8", budget={"steps": 3000})
    page = open_studio(service.url).goto(f"jobs/{job_id}")
    canvas = page.locator(".lab canvas")
    expect(canvas).to_be_visible()
    probe, first = page.locator("[data-probe]"), canvas.screenshot()
    step = int(probe.get_attribute("data-probe") or 0)
    until(lambda: int(probe.get_attribute("data-probe") or 0) > step)
    assert canvas.screenshot() != first
    service.client.post(f"/jobs/{job_id}/cancel")
