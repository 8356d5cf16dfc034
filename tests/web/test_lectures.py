"""The room for lectures in a real browser: six runs to start, the run that a job is nearest to, and exercises."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.core.settings import CHECKOUT
from tests.support.service import Service
from tests.web.conftest import Studio

COURSE = (CHECKOUT / "docs" / "course.md").read_text()


def syllabus(page: Page) -> list[dict[str, Any]]:
    """Return the exercises of the page, without their rules."""
    text = page.evaluate("async () => JSON.stringify((await import('/studio/syllabus.js')).EXERCISES)")
    exercises: list[dict[str, Any]] = json.loads(text)
    return exercises


def train(service: Service, body: dict[str, Any]) -> str:
    reply = service.client.post("/jobs", json=body)
    assert reply.status_code == 201, reply.text
    job_id: str = reply.json()["id"]
    service.wait_for(job_id, "succeeded")
    return job_id


@pytest.fixture(scope="module")
def collapsed(service: Service) -> str:
    """The lecture's collapse, on small digits."""
    body = json.loads((CHECKOUT / "examples" / "lecture" / "mode_collapse.json").read_text())
    return train(service, body | {"dataset": "digits", "budget": {"steps": 300}})


def test_six_runs_show_their_pictures_losses_and_minutes(studio: Studio) -> None:
    page = studio.goto("lectures")
    cards = page.locator("[data-lecture]")
    expect(cards).to_have_count(6)
    good = page.locator('[data-lecture="good"]')
    expect(good.locator("img")).to_have_js_property("naturalWidth", 231)
    expect(good.get_by_role("row", name=re.compile("the course"))).to_contain_text("0.73 / 0.71")
    expect(good).to_contain_text(re.compile(r"[\d,]+ steps on digits; (about \d+ (s|min) here|how long is not known)"))
    page.get_by_label("For about").select_option("10 minutes")
    expect(page).to_have_url(re.compile("minutes=10"))


def test_run_starts_with_one_click_at_the_size_on_its_card(studio: Studio, service: Service) -> None:
    page = studio.goto("lectures")
    card = page.locator('[data-lecture="mlp"]')
    status = card.locator("[role=status]")
    expect(status).to_contain_text("steps on digits")
    steps = int(re.sub(r"\D", "", status.inner_text().split(" steps")[0]))
    card.get_by_role("button", name="Start MLP").click()
    expect(card).to_contain_text(f"Newest here: {steps:,} steps on digits")
    (job,) = service.client.get("/jobs", params={"model": "lecture-mlp"}).json()["data"]
    assert (job["recipe"]["budget"]["steps"], job["recipe"]["generator"]["dropout"]) == (steps, 0.5)
    service.client.post(f"/jobs/{job['id']}/cancel")


def test_run_can_be_changed_before_it_starts(studio: Studio) -> None:
    page = studio.goto("lectures")
    card = page.locator('[data-lecture="good_with_smoothing"]')
    expect(card.locator("[role=status]")).to_contain_text("steps on digits")
    card.get_by_role("link", name="Change it first").click()
    expect(page.get_by_label("Dataset")).to_have_value("digits")
    expect(page.get_by_label("Name of the model")).to_have_value("lecture-good-with-smoothing")
    expect(page.locator(".differences")).to_contain_text("objective.smoothing 0 → 0.1")


def test_missing_mnist_is_said_before_the_start(start_service: Callable[..., Service], open_studio: Any) -> None:
    studio = open_studio(start_service(FORGER_DATA="/nowhere").url)
    studio.expected = ("409",)
    page = studio.goto("lectures")
    page.get_by_label("Train on").select_option("mnist")
    expect(page.get_by_role("alert")).to_contain_text("Put the four idx files of MNIST")


def test_collapsed_job_is_nearest_to_mode_collapse(studio: Studio, collapsed: str) -> None:
    page = studio.goto(f"lectures?view=failure&job={collapsed}")
    expect(page.locator('[data-nearest="mode_collapse"]')).to_contain_text("the watch reports collapse")
    expect(page.get_by_role("heading", name="The lecture's run: Mode collapse")).to_be_visible()
    expect(page.get_by_alt_text("What your training drew last")).not_to_have_js_property("naturalWidth", 0)
    page.get_by_text("How near each of the six runs is").click()
    expect(page.get_by_role("row", name=re.compile("the watch reports collapse speaks for it"))).to_be_visible()


def test_another_job_is_chosen_and_stays_in_the_address(studio: Studio, service: Service, collapsed: str) -> None:
    ring = train(service, {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 20}, "model": "tiny"})
    page = studio.goto(f"lectures?view=failure&job={collapsed}")
    page.get_by_label("Your training").select_option(ring)
    expect(page.get_by_role("link", name="gan on ring8")).to_be_visible()
    expect(page).to_have_url(re.compile(ring))
    page.reload()
    expect(page.get_by_role("link", name="gan on ring8")).to_be_visible()


def test_exercise_is_started_and_answered_wrongly_and_rightly(studio: Studio, service: Service) -> None:
    page = studio.goto("lectures?view=exercises&exercise=modes")
    question = page.get_by_label(re.compile("At which step does an evaluation"))
    check = page.get_by_role("button", name="Check the answer")
    question.fill("800")
    check.click()
    expect(page.get_by_text("Train “The ring” first")).to_be_visible()
    page.get_by_role("button", name="Train: The ring").click()
    expect(page).to_have_url(re.compile("a=job_"))
    expect(page.locator(".slot .state").first).to_have_text("succeeded")
    job_id = re.findall(r"job_\w+", page.url)[0]
    curves = {one["name"]: dict(one["points"]) for one in service.client.get(f"/jobs/{job_id}/metrics").json()["data"]}
    quality = curves["figure/high_quality"]
    good = next(step for step, modes in curves["figure/modes"].items() if modes == 8 and quality[step] >= 0.5)
    page.get_by_text("Values by step").click()
    expect(page.get_by_role("row", name=re.compile(f"^{good} 8 "))).to_be_visible()
    question.fill("100")
    check.click()
    expect(page.locator("[data-right=false]")).to_contain_text("Not yet.")
    question.fill(str(good))
    check.click()
    expect(page.locator("[data-right=true]")).to_contain_text(f"At step {good} all 8 modes are drawn")
    page.reload()
    expect(page.get_by_title("answered rightly")).to_have_count(1)
    expect(page.get_by_label(re.compile("At which step does an evaluation"))).to_have_value(str(good))
    page.get_by_role("link", name="1 A game in balance").click()
    expect(page.get_by_label(re.compile("A critic that is fooled"))).to_be_visible()
    expect(page.locator(".slot .state").first).to_have_text("succeeded")


def test_answers_never_leave_the_browser(studio: Studio, collapsed: str) -> None:
    sent: list[str] = []
    studio.page.on("request", lambda request: sent.append(f"{request.url} {request.post_data or ''}"))
    page = studio.goto(f"lectures?view=exercises&exercise=collapse&a={collapsed}")
    expect(page.locator(".slot .state").first).to_have_text("succeeded")
    answer = page.get_by_label(re.compile("How many times as far apart"))
    answer.fill("4.321")
    page.get_by_role("button", name="Check the answer").click()
    expect(page.locator("[data-right=false]")).to_contain_text("Not yet.")
    page.reload()
    expect(answer).to_have_value("4.321")
    assert any(collapsed in one for one in sent)
    assert [one for one in sent if "4.321" in one] == []


def test_syllabus_of_the_page_is_that_of_the_docs(studio: Studio, service: Service) -> None:
    exercises = syllabus(studio.goto("system"))
    titles = re.findall(r"^## \d\. (.+)$", COURSE, re.MULTILINE)
    assert [one["title"] for one in exercises] == titles
    assert len(titles) == 8
    for part, exercise in zip(re.split(r"^## \d\. ", COURSE, flags=re.MULTILINE)[1:], exercises, strict=True):
        assert f"**Aim.** {exercise['aim']}" in part
        assert f"**Watch.** {exercise['watch']}" in part
        assert f"**Question.** {exercise['question']}" in part
        assert [text for _, text in exercise.get("choices", ())] == re.findall(r"^- (.+)$", part, re.MULTILINE)
        for training in exercise["trainings"]:
            assert any(json.loads(block) == training["request"] for block in blocks()), training["title"]
            plan = service.client.post("/jobs", json=training["request"] | {"dry_run": True}).json()
            assert plan["refusals"] == []


def blocks() -> list[str]:
    return re.findall(r"^```json\n(.*?)^```", COURSE, re.MULTILINE | re.DOTALL)
