"""A link opens one job, experiment or model in a browser without the key, read-only, until it ends or is revoked."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from forger import Forger
from tests.support.service import Service
from tests.web.conftest import Studio

WRITES = ("Delete", "Extend", "Share", "Publish", "Clone with changes")
"""what changes something, or leads to what does"""
KEY = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def keyed(start_service: Callable[..., Service]) -> Service:
    return start_service(FORGER_API_KEY=KEY)


@pytest.fixture(scope="module")
def forger(keyed: Service) -> Iterator[Forger]:
    with Forger(keyed.url, KEY) as forger:
        yield forger


def sign_in(studio: Studio, path: str) -> Page:
    page = studio.goto(path)
    page.get_by_label("The service's key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    return page


def test_shared_job_is_read_without_the_key_until_it_is_revoked(
    keyed: Service, forger: Forger, open_studio: Callable[..., Studio]
) -> None:
    job = forger.train("gan", dataset="ring8", budget={"steps": 60}).wait()
    owner = open_studio(keyed.url, permissions=["clipboard-read", "clipboard-write"])
    owner.expected = ("401",)
    page = sign_in(owner, f"jobs/{job.id}?scale=log")
    for name in WRITES:
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_label("The link ends after").select_option("1")
    page.get_by_role("button", name="Create a link").click()
    expect(page.locator("[data-link]")).to_have_count(1)
    href = page.evaluate("navigator.clipboard.readText()")
    assert f"/studio/jobs/{job.id}?link=" in href
    assert "scale=log" in href

    guest = open_studio(keyed.url)
    guest.expected = ("401", "403")
    shown = guest.page
    shown.goto(href)
    expect(shown.locator("h1")).to_contain_text("gan on ring8")
    expect(shown.get_by_label("Scale")).to_have_value("log")
    expect(shown.locator(".film .sheet")).to_be_visible()
    expect(shown.get_by_text("Shared with you until")).to_be_visible()
    expect(shown.get_by_role("row").filter(has_text="★")).to_be_visible()
    for name in WRITES:
        expect(shown.get_by_text(name, exact=True).locator("visible=true")).to_have_count(0)
    shown.reload()
    expect(shown.locator("h1")).to_contain_text("gan on ring8")

    page.get_by_role("button", name="Revoke").click()
    expect(page.locator("[data-link]")).to_have_count(0)
    shown.reload()
    expect(shown.get_by_role("alert")).to_contain_text("This link has ended")
    assert KEY not in str(shown.context.storage_state())


def test_link_that_has_ended_says_so(keyed: Service, forger: Forger, open_studio: Callable[..., Studio]) -> None:
    job = forger.train("gan", dataset="ring8", budget={"steps": 20}, overrides={"watch": None}).wait()
    guest = open_studio(keyed.url)
    guest.expected = ("401",)
    guest.page.goto(keyed.url + forger.share("job", job.id, hours=1e-9).href)
    expect(guest.page.get_by_role("alert")).to_contain_text("This link has ended")
    expect(guest.page.locator("h1")).to_have_text("Sign in")


def test_shared_model_is_judged_without_the_key(
    keyed: Service, forger: Forger, open_studio: Callable[..., Studio]
) -> None:
    job = forger.train("cdcgan", dataset="digits", budget={"steps": 20}, overrides={"watch": None}).wait()
    model = str(job.reply.result and job.reply.result.model)
    guest = open_studio(keyed.url)
    guest.expected = ("401",)
    page = guest.page
    page.goto(keyed.url + forger.share("model", model, hours=1).href + "&n=10&seed=3")
    page.get_by_label("Judge").fill("ada")
    page.get_by_role("button", name="Start").click()
    for number in range(1, 11):
        expect(page.get_by_text(f"Picture {number} of 10")).to_be_visible()
        page.wait_for_timeout(150)  # a quicker answer is taken for the same press
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(f"Everybody on {model}")).to_be_visible()
    (judgement,) = forger.judgements(model).data
    assert (judgement.judge, judgement.seed) == ("ada", 3)


def test_shared_experiment_shows_its_ranking_and_leads_to_its_jobs(
    keyed: Service, forger: Forger, open_studio: Callable[..., Studio]
) -> None:
    experiment = forger.start_experiment({"recipe": "gan", "dataset": "ring8", "budget": {"steps": 20}, "seeds": 2})
    guest = open_studio(keyed.url)
    guest.expected = ("401",)
    page = guest.page
    page.goto(keyed.url + forger.share("experiment", experiment.id).href)
    expect(page.get_by_role("heading", name="Ranking")).to_be_visible()
    page.locator(".cells a").first.click()
    expect(page.locator("h1")).to_contain_text("gan on ring8")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
