"""The room of new jobs, in a real browser: from a family to a training, with refusals while one types."""

import json
import re
import shlex
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.service import Service
from tests.web.conftest import Studio

REFUSED = ("422",)
"""the browser's console names a reply of 422, which a malformed name of a model provokes"""


def create(page: Page, client: httpx.Client) -> dict[str, Any]:
    """Press the button, wait for the job's page, and return the job."""
    page.get_by_role("button", name="Create the job").click()
    expect(page).to_have_url(re.compile(r"/studio/jobs/job_\w+$"))
    reply = client.get(f"/jobs/{page.url.rpartition('/')[2]}")
    job: dict[str, Any] = reply.json()
    return job


def choose_steps(page: Page, steps: int) -> None:
    page.get_by_label("Budget: amount").fill(str(steps))


def read_text(page: Page, kind: str) -> str:
    """Return the request as text: curl, CLI or Python."""
    text = page.get_by_label(f"The request as {kind}")
    if not text.is_visible():
        page.get_by_text("Read them").click()
    return text.inner_text()


@pytest.fixture(scope="module")
def cloned(service: Service) -> str:
    """A finished training with changes of its own."""
    body = {
        "recipe": "gan", "dataset": "ring8", "seed": 3, "budget": {"steps": 60},
        "overrides": {"batch_size": 64, "generator": {"hidden": [32, 32]}},
    }  # fmt: skip
    reply = service.client.post("/jobs", json=body)
    assert reply.status_code == 201, reply.text
    job_id: str = reply.json()["id"]
    service.wait_for(job_id, "succeeded")
    return job_id


def test_family_found_by_search_becomes_a_job_whose_page_opens(studio: Studio, service: Service) -> None:
    page = studio.goto("new")
    expect(page.locator("[data-family]")).to_have_count(29)
    page.get_by_label("Find a family").fill("mlp lectures")
    expect(page.locator("[data-family]:visible")).to_have_count(1)
    expect(page.locator('[data-family="gan"] img')).to_have_js_property("complete", value=True)
    expect(page.locator('[data-family="gan"]')).to_contain_text(re.compile(r"about \d+ (s|min|h) here by default"))
    page.locator('[data-family="gan"]').focus()
    page.keyboard.press("Enter")
    page.get_by_label("Dataset").select_option("ring8")
    choose_steps(page, 50)
    page.get_by_label("Batch size").fill("32")
    expect(page.locator("aside dd").first).to_contain_text("about")
    expect(page.locator("aside")).to_contain_text("batch_size 256 → 32")
    job = create(page, service.client)
    assert (job["family"], job["dataset"]) == ("gan", "ring8")
    assert (job["recipe"]["batch_size"], job["recipe"]["budget"]["steps"]) == (32, 50)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_refusal_stands_beside_its_field_and_leaves_with_its_cause(studio: Studio) -> None:
    page = studio.goto("new?family=gan&dataset=ring8")
    batch = page.get_by_label("Batch size")
    batch.fill("0")
    field = page.locator(".setting", has=batch)
    expect(field.locator(".refusal")).to_have_text(re.compile(r"'batch_size' is 0: write a whole number from 1"))
    expect(batch).to_have_attribute("aria-invalid", "true")
    batch.fill("64")
    expect(field.locator(".refusal")).to_be_hidden()
    choose_steps(page, 0)
    expect(page.locator(".setting", has=page.get_by_label("Budget: amount")).locator(".refusal")).to_contain_text(
        "'budget.steps' is 0"
    )


def test_refusal_of_a_folded_setting_leads_to_it(studio: Studio, service: Service) -> None:
    page = studio.goto("new?family=gan&dataset=ring8&steps=40")
    page.get_by_text("All settings").click()
    page.get_by_label("Objective: kind").select_option("wasserstein")
    sentence = re.compile("unless the critic is Lipschitz: add a gradient_penalty or set critic_clip")
    expect(page.locator("fieldset", has_text="Objective").locator("> .refusal:visible")).to_have_text(sentence)
    page.get_by_text("All settings").click()
    page.get_by_role("button", name=sentence).click()
    expect(page.get_by_label("Objective: kind")).to_be_focused()
    page.get_by_label("Penalties: kind of the new one").select_option("gradient_penalty")
    page.get_by_role("button", name="Add to penalties").click()
    page.get_by_label("Weight", exact=True).fill("5")
    expect(page.locator("aside .notice.bad")).to_have_count(0)
    recipe = create(page, service.client)["recipe"]
    assert recipe["objective"]["kind"] == "wasserstein"
    assert [(one["kind"], one["weight"]) for one in recipe["penalties"]] == [("gradient_penalty", 5)]


def test_only_fitting_datasets_are_offered_and_others_say_why(studio: Studio) -> None:
    page = studio.goto("new?family=cyclegan&dataset=digits")
    dataset = page.get_by_label("Dataset")
    expect(page.locator(".setting", has=dataset).locator(".refusal")).to_contain_text("cannot be played on 'digits'")
    expect(dataset.locator("option")).to_have_text([re.compile("^digits"), re.compile("^day2night")])
    page.get_by_text("Why not the others?").click()
    expect(page.locator("li", has_text="ring8")).to_be_visible()
    dataset.select_option("day2night")
    expect(page.locator("aside dd").first).to_contain_text("about")


def test_clone_opens_without_changes_and_creates_the_job_with_one(
    studio: Studio, service: Service, cloned: str
) -> None:
    page = studio.goto(f"jobs/{cloned}")
    page.get_by_role("link", name="Clone with changes").click()
    expect(page.locator(".differences")).to_contain_text("Nothing.")
    expect(page.get_by_label("Seed")).to_have_value("3")
    expect(page.get_by_label("Batch size")).to_have_value("64")
    page.get_by_label("Learning rate of the critic").fill("0.002")
    expect(page.locator(".differences li")).to_have_text(["critic_optimizer.rate 0.001 → 0.002"])
    page.reload()
    expect(page.locator(".differences li")).to_have_text(["critic_optimizer.rate 0.001 → 0.002"])
    job = create(page, service.client)
    original = service.client.get(f"/jobs/{cloned}").json()["recipe"]
    original["critic_optimizer"]["rate"] = 0.002
    assert job["recipe"] == original
    assert job["family"] == "gan"


def test_clone_of_a_recipe_without_a_family_is_sent_whole(studio: Studio, service: Service, cloned: str) -> None:
    recipe = service.client.get(f"/jobs/{cloned}").json()["recipe"]
    custom = service.client.post("/jobs", json={"recipe": recipe}).json()["id"]
    page = studio.goto(f"new?clone={custom}")
    page.get_by_label("Batch size").fill("16")
    expect(page.locator(".differences li")).to_have_text(["batch_size 64 → 16"])
    assert create(page, service.client)["recipe"] == recipe | {"batch_size": 16}


def test_request_as_text_creates_the_same_job(studio: Studio, service: Service) -> None:
    page = studio.goto("new?family=gan&dataset=ring8")
    choose_steps(page, 40)
    page.get_by_label("Batch size").fill("32")
    page.get_by_text("All settings").click()
    page.get_by_label("Objective: kind").select_option("hinge")
    page.locator("fieldset", has_text="Generator").get_by_label("Hidden").first.fill("16, 16")
    overrides = {"batch_size": 32, "objective": {"kind": "hinge"}, "generator": {"hidden": [16, 16]}}
    expect(page.locator("aside")).to_contain_text("generator.hidden 128, 128, 128 → 16, 16")
    words = shlex.split(read_text(page, "curl").replace("\\\n", " "))
    assert words[:2] == ["curl", f"{service.url}/jobs"]
    body = json.loads(words[-1])
    assert body == {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 40}, "overrides": overrides}
    command = shlex.split(read_text(page, "CLI").replace("\\\n", " "))
    assert command[:5] == ["forger", "--url", service.url, "train", "gan"]
    assert {"batch_size=32", "objective.kind=hinge", "generator.hidden=[16,16]"} < set(command)
    assert f"overrides={overrides}".replace("'", '"') in read_text(page, "Python")
    compile(read_text(page, "Python"), "request", "exec")


def test_changed_setting_goes_back_to_its_default_and_leaves_the_request(studio: Studio) -> None:
    page = studio.goto("new?family=gan&dataset=ring8")
    batch = page.get_by_label("Batch size")
    batch.fill("32")
    expect(page).to_have_url(re.compile("batch_size"))
    page.get_by_role("button", name="back to 256").click()
    expect(batch).to_have_value("256")
    expect(page).not_to_have_url(re.compile("overrides"))
    expect(page.locator(".differences")).to_contain_text("Nothing.")


def test_edit_before_the_first_plan_counts_as_a_change(studio: Studio) -> None:
    plans = 0

    def hold_second(route: Route) -> None:
        """Let the defaults through, and leave the first plan without an answer."""
        nonlocal plans
        plans += 1
        if plans != 2:
            route.continue_()

    studio.page.route("**/jobs", hold_second)
    page = studio.goto("new?family=gan&dataset=ring8")
    page.get_by_text("All settings").click()
    page.locator("fieldset", has_text="Generator").get_by_label("Hidden").first.fill("16, 16")
    expect(page.locator(".differences li")).to_have_text(["generator.hidden 128, 128, 128 → 16, 16"])


def test_hostile_name_of_a_model_is_text(studio: Studio) -> None:
    studio.expected = REFUSED
    page = studio.goto("new?family=gan&dataset=ring8")
    name = '<img src=x onerror="document.title=1">'
    page.get_by_label("Name of the model").fill(name)
    field = page.locator(".setting", has=page.get_by_label("Name of the model"))
    expect(field.locator(".refusal")).to_contain_text(name)
    assert page.locator('main img[src="x"]').count() == 0
    assert name in read_text(page, "curl").replace('\\"', '"')


def test_address_with_broken_or_foreign_values_still_opens(studio: Studio) -> None:
    page = studio.goto("new?family=gan&dataset=nowhere&overrides={broken")
    dataset = page.locator(".setting", has=page.get_by_label("Dataset"))
    expect(dataset.locator(".refusal")).to_contain_text("No dataset is called 'nowhere'")


def test_keyboard_alone_creates_a_job(studio: Studio, service: Service) -> None:
    page = studio.goto("new?family=gan&dataset=ring8&steps=40")
    page.get_by_label("Batch size").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("48")
    expect(page.locator("aside")).to_contain_text("batch_size 256 → 48")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/studio/jobs/job_\w+$"))
    assert service.client.get(f"/jobs/{page.url.rpartition('/')[2]}").json()["recipe"]["batch_size"] == 48
