"""Spot the fake in a real browser: a round ends in a figure on the model's card, and a link gives the same round."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.service import Service
from tests.web.conftest import Studio

ROUND = "spot?model=judged@1&n=10&seed=3"


@pytest.fixture(scope="module")
def model(service: Service) -> str:
    """A small model of digits that people judge."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}, "model": "judged"}
    job = service.client.post("/jobs", json=body).json()["id"]
    service.wait_for(job, "succeeded")
    return "judged@1"


def start(page: Page, judge: str) -> None:
    page.get_by_role("textbox", name="Judge").fill(judge)
    page.get_by_role("button", name="Start").click()


def pictures_shown(page: Page, keys: Iterator[str]) -> list[str]:
    """Answer a round by keyboard and return its pictures as data URLs."""
    shown = []
    for number in range(1, 11):
        canvas = page.get_by_role("img", name=f"Picture {number} of 10")
        expect(canvas).to_be_visible()
        shown.append(canvas.evaluate("canvas => canvas.toDataURL()"))
        page.wait_for_timeout(150)
        page.keyboard.press(next(keys))
    return shown


def every(key: str) -> Iterator[str]:
    while True:
        yield key


def judgements(service: Service, model: str) -> Any:
    return service.client.get(f"/models/{model}/judgements").json()


def test_ten_judgements_end_in_a_figure_on_the_card(studio: Studio, service: Service, model: str) -> None:
    page = studio.goto(ROUND)
    start(page, "ada")
    pictures_shown(page, every("ArrowRight"))
    expect(page.get_by_role("heading", name="You were right 5 times out of 10")).to_be_visible()
    everybody = page.get_by_role("region", name=f"Everybody on {model}")
    expect(everybody).to_contain_text("5 of 10")
    expect(everybody).to_contain_text("24 % to 76 %")
    assert page.locator(".tile").count() == 10
    assert page.locator(".tile.wrong").count() == 5
    page.get_by_role("link", name="The model's card").click()
    expect(page.get_by_role("region", name="Judged by people")).to_contain_text("5 of 10")
    (judged,) = judgements(service, model)["data"]
    assert (judged["judge"], judged["seed"], judged["hits"]) == ("ada", 3, 5)
    assert {answer["guess"] for answer in judged["answers"]} == {"fake"}
    assert service.client.get(f"/models/{model}").json()["card"]["human"]["rounds"] == 1


def test_link_gives_a_class_the_same_round(service: Service, open_studio: Callable[..., Studio], model: str) -> None:
    rounds = []
    for judge in ("grace", "edsger"):
        page = open_studio(service.url).goto(ROUND)
        start(page, judge)
        rounds.append(pictures_shown(page, every("ArrowLeft")))
        expect(page.get_by_role("region", name=f"Everybody on {model}")).to_be_visible()
    assert rounds[0] == rounds[1]
    assert len(set(rounds[0])) == 10
    orders = {
        tuple((answer["truth"], answer["index"]) for answer in judged["answers"])
        for judged in judgements(service, model)["data"]
        if judged["judge"] in ("grace", "edsger")
    }
    assert len(orders) == 1


def test_second_round_of_a_judge_with_one_seed_is_not_counted(studio: Studio, model: str) -> None:
    studio.expected = ("409",)
    for _ in range(2):
        page = studio.goto(ROUND.replace("seed=3", "seed=4"))
        start(page, "alan")
        pictures_shown(page, every("ArrowLeft"))
        expect(page.get_by_role("heading", name=re.compile("You were right"))).to_be_visible()
        expect(page.get_by_role("region", name="Everybody").or_(page.get_by_role("alert"))).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("take another seed")


def test_uneven_round_is_a_sentence_on_the_page(studio: Studio, model: str) -> None:
    page = studio.goto(f"spot?model={model}&n=11")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("even number of pictures")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_round_has_no_serious_barrier_and_fits_a_phone(
    service: Service, open_studio: Callable[..., Studio], model: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    studio.page.set_viewport_size({"width": 390, "height": 844})
    page = studio.goto(ROUND.replace("seed=3", "seed=5"))
    start(page, f"judge-{scheme}")
    expect(page.get_by_role("button", name="← Real")).to_be_visible()
    require_no_barrier(page)
    pictures_shown(page, every("ArrowLeft"))
    expect(page.get_by_role("region", name=f"Everybody on {model}")).to_be_visible()
    require_no_barrier(page)


def require_no_barrier(page: Page) -> None:
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not found, found
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
