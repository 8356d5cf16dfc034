"""The room of comparisons, in a real browser: trainings of different steps on one axis, read off the chart."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.service import Service
from tests.support.wait import until
from tests.web.conftest import Studio

LOSS = "critic/non_saturating"
TITLE = "Loss of the critic: non saturating"


def train(service: Service, **body: object) -> str:
    reply = service.client.post("/jobs", json={"recipe": "gan", "dataset": "ring8", **body})
    assert reply.status_code == 201, reply.text
    job_id: str = reply.json()["id"]
    return job_id


def stored(service: Service, job_id: str, name: str = LOSS) -> dict[int, float]:
    """Return the points of a curve as the database has them."""
    (curve,) = service.client.get(f"/jobs/{job_id}/metrics", params={"name": name}).json()["data"]
    return dict(curve["points"])


def legend(page: Page, title: str = TITLE) -> Locator:
    """Return the values in the legend of a chart, in the order of the trainings."""
    return page.get_by_role("region", name=title).locator(".legend button > span")


def shown(page: Page) -> list[float]:
    chart = page.get_by_role("region", name=TITLE)
    chart.scroll_into_view_if_needed()
    values = legend(page)
    until(lambda: all(one.get_attribute("data-value") for one in values.all()))
    return [float(one.get_attribute("data-value") or "nan") for one in values.all()]


@pytest.fixture(scope="module")
def pair(service: Service) -> tuple[str, str]:
    """Two trainings that report at different steps and end at different ones."""
    first = train(service, seed=1, budget={"steps": 120}, overrides={"report_every": 10})
    second = train(service, seed=2, budget={"steps": 90}, overrides={"report_every": 15})
    for job in (first, second):
        service.wait_for(job, "succeeded")
    return first, second


def test_legend_at_a_common_step_equals_the_database(studio: Studio, service: Service, pair: tuple[str, str]) -> None:
    curves = [stored(service, job) for job in pair]
    step = max(set(curves[0]) & set(curves[1]))
    page = studio.goto(f"compare?jobs={','.join(pair)}&step={step}")
    assert shown(page) == [curve[step] for curve in curves]


def test_step_without_a_measurement_shows_the_last_one_with_its_step(
    studio: Studio, service: Service, pair: tuple[str, str]
) -> None:
    curves = [stored(service, job) for job in pair]
    step = max(step for step in curves[0] if step not in curves[1] and step < max(curves[1]))
    before = max(known for known in curves[1] if known < step)
    page = studio.goto(f"compare?jobs={','.join(pair)}&step={step}")
    assert shown(page) == [curves[0][step], curves[1][before]]
    expect(legend(page).nth(0)).not_to_contain_text(" at ")
    expect(legend(page).nth(1)).to_contain_text(f" at {before}")


def test_pointer_in_the_chart_reads_the_values_under_it(
    studio: Studio, service: Service, pair: tuple[str, str]
) -> None:
    curves = [stored(service, job) for job in pair]
    page = studio.goto(f"compare?jobs={','.join(pair)}")
    shown(page)
    plot = page.get_by_role("region", name=TITLE).locator(".u-over")
    width = (plot.bounding_box() or {"width": 0})["width"]
    plot.hover(position={"x": 1, "y": 40})
    first = min(min(curve) for curve in curves)
    expect(legend(page).nth(0)).to_have_attribute("data-value", str(curves[0].get(first)))
    plot.hover(position={"x": width - 1, "y": 40})
    expect(legend(page).nth(0)).to_have_attribute("data-value", str(curves[0][max(curves[0])]))
    assert shown(page)[1] == curves[1][max(curves[1])]


def test_address_holds_scale_smoothing_zoom_and_hidden_curves(studio: Studio, pair: tuple[str, str]) -> None:
    page = studio.goto(f"compare?jobs={','.join(pair)}")
    shown(page)
    page.get_by_label("Scale").select_option("log")
    page.get_by_label("Smoothing").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("region", name=TITLE).get_by_role("button", name="gan, seed 2").click()
    plot = page.get_by_role("region", name=TITLE).locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 40, steps=4)
    page.mouse.up()
    for part in ("scale=log", "smoothing=0.02", "from=", "to=", f"hidden={pair[1]}"):
        expect(page).to_have_url(re.compile(re.escape(part)))
    page.reload()
    shown(page)
    expect(page.get_by_label("Scale")).to_have_value("log")
    second = page.locator(".legend").get_by_role("button", name="gan, seed 2")
    for button in second.all():
        expect(button).to_have_attribute("aria-pressed", "false")


def test_steps_in_view_are_typed_as_well_as_dragged(studio: Studio, service: Service, pair: tuple[str, str]) -> None:
    page = studio.goto(f"compare?jobs={','.join(pair)}")
    shown(page)
    page.get_by_label("First step in view").fill("30")
    page.get_by_label("Last step in view").fill("60")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("from=30&to=60"))
    for _ in range(2):
        plot = page.get_by_role("region", name=TITLE).locator(".u-over")
        plot.hover(position={"x": 1, "y": 40})
        expect(legend(page).nth(0)).to_have_attribute("data-value", str(stored(service, pair[0])[30]))
        page.reload()
        shown(page)
    page.get_by_role("button", name="Whole run").click()
    expect(page.get_by_label("First step in view")).to_have_value("")
    expect(page).not_to_have_url(re.compile("from="))


def test_recipes_samples_and_figures_stand_side_by_side(
    studio: Studio, service: Service, pair: tuple[str, str]
) -> None:
    page = studio.goto(f"compare?jobs={','.join(pair)}")
    differences = page.get_by_role("group", name="Differences of the recipes")
    expect(differences.locator("tr", has_text="report_every").locator("td")).to_have_text(["10", "15"])
    pictures = page.locator("[data-sample] img")
    expect(pictures).to_have_count(2)
    page.get_by_label("Seed of the noise").fill("7")
    page.keyboard.press("Enter")
    for picture in pictures.all():
        expect(picture).to_have_attribute("src", re.compile("seed=7"))
        picture.scroll_into_view_if_needed()
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("image => image.naturalWidth") > 0
    expect(page).to_have_url(re.compile("seed=7"))
    rankings = service.client.get("/compare", params={"jobs": ",".join(pair)}).json()["figures"]
    figures = page.get_by_role("group", name="Figures of each training")
    expect(figures.locator("thead th")).to_have_count(1 + len(rankings))
    expect(page.get_by_text(rankings[0]["provenance_text"]).first).to_be_visible()


def test_ticked_rows_of_the_jobs_open_as_a_comparison(studio: Studio, pair: tuple[str, str]) -> None:
    page = studio.goto("jobs")
    first, second = (page.locator(f'[data-job="{job}"]') for job in pair)
    first.get_by_role("checkbox").check()
    second.focus()
    page.keyboard.press("Space")
    expect(second.get_by_role("checkbox")).to_be_checked()
    expect(page).to_have_url(re.compile(r"/studio/jobs$"))
    page.get_by_role("link", name="Compare 2").click()
    expect(page).to_have_url(re.compile(rf"compare\?jobs={pair[0]},{pair[1]}"))
    expect(page.locator("tr[data-job]")).to_have_count(2)


def test_trainings_are_chosen_by_search_and_removed(studio: Studio, pair: tuple[str, str]) -> None:
    page = studio.goto("compare")
    expect(page.get_by_text("Choose two trainings or more above")).to_be_visible()
    page.get_by_label("Find a training").fill("ring8 seed 2")
    expect(page.locator(f'[data-pick="{pair[0]}"]')).to_have_count(0)
    page.locator(f'[data-pick="{pair[1]}"]').check()
    page.get_by_label("Find a training").fill(pair[0])
    page.locator(f'[data-pick="{pair[0]}"]').check()
    expect(page.locator("tr[data-job]")).to_have_count(2)
    page.get_by_role("button", name="Remove gan, seed 2").click()
    expect(page.get_by_text("Choose one more training")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"jobs={pair[0]}$"))


def test_running_training_moves_without_a_reload(studio: Studio, service: Service, pair: tuple[str, str]) -> None:
    running = train(service, seed=3, budget={"steps": 1500}, overrides={"report_every": 10})
    service.client.post(f"/jobs/{running}/pause")
    page = studio.goto(f"compare?jobs={pair[0]},{running}")
    row = page.locator(f'tr[data-job="{running}"]')
    expect(row.locator(".state")).to_have_text("paused")
    expect(page.locator(".chart").first).to_be_visible()
    service.client.post(f"/jobs/{running}/resume")
    expect(row.locator(".state")).to_have_text("succeeded")
    expect(row).to_contain_text("1,500")
    assert shown(page)[1] == stored(service, running)[1500]


def test_unknown_training_is_a_sentence(studio: Studio, pair: tuple[str, str]) -> None:
    studio.expected = ("404",)
    page = studio.goto(f"compare?jobs={pair[0]},job_nothing")
    expect(page.get_by_role("alert")).to_contain_text("There is no job 'job_nothing'")
