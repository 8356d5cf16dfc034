"""The rooms of experiments, in a real browser: from the form to the ranking, its cells and its CSV."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.service import Service
from tests.support.wait import until
from tests.web.conftest import Studio


def finish(service: Service, experiment_id: str) -> dict[str, Any]:
    """Wait until all jobs of an experiment have ended; return the experiment."""

    def read() -> dict[str, Any]:
        experiment: dict[str, Any] = service.client.get(f"/experiments/{experiment_id}").json()
        return experiment

    until(lambda: set(read()["states"]) <= {"succeeded", "failed"})
    return read()


@pytest.fixture(scope="module")
def experiment(service: Service) -> dict[str, Any]:
    """Two cases with two seeds each."""
    body = {
        "name": "turns", "recipe": "gan", "dataset": "ring8", "budget": {"steps": 60}, "seeds": 2,
        "grid": {"/turns/critic_steps": [1, 2]},
    }  # fmt: skip
    reply = service.client.post("/experiments", json=body)
    assert reply.status_code == 201, reply.text
    return finish(service, reply.json()["id"])


def best_first(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return sorted(figure["cases"], key=lambda cell: cell["mean"], reverse=figure["better"] == "high")


def choose_figure(page: Page, figure: dict[str, Any]) -> None:
    page.get_by_label("Figure", exact=True).select_option(
        label=f"{figure['title']} {'↓' if figure['better'] == 'low' else '↑'}"
    )


def test_experiment_from_the_form_ends_in_a_ranking(studio: Studio, service: Service) -> None:
    page = studio.goto("experiments")
    page.get_by_role("link", name="New experiment").first.click()
    page.get_by_label("Name", exact=True).fill("sizes")
    page.get_by_label("Dataset").select_option("ring8")
    page.get_by_label("Budget: amount").fill("60")
    page.get_by_label("Seeds").fill("2")
    page.get_by_label("Setting to vary").select_option("/batch_size")
    page.get_by_role("button", name="Vary this").click()
    expect(page.get_by_label("Batch size", exact=True)).to_be_focused()
    page.keyboard.type("32, 64")
    expect(page.get_by_role("complementary")).to_contain_text("4: 2 cases, 2 seeds")
    page.get_by_role("button", name="Start the experiment").click()
    expect(page).to_have_url(re.compile(r"/experiments/exp_\w+$"))
    expect(page.get_by_text("4 succeeded")).to_be_visible()
    experiment = service.client.get(f"/experiments/{page.url.rpartition('/')[2]}").json()
    assert experiment["request"]["grid"] == {"/batch_size": [32, 64]}
    figure = next(one for one in experiment["figures"] if one["name"] == "divergence")
    choose_figure(page, figure)
    order = [cell["case"] for cell in best_first(figure)]
    until(lambda: [row.get_attribute("data-case") for row in page.locator(".ranking tr[data-rank]").all()] == order)
    expect(page.get_by_text(figure["citation"])).to_be_visible()
    expect(page.locator("nav")).to_be_visible()
    page.get_by_role("navigation").get_by_role("link", name="Experiments").click()
    expect(page.locator(f'[data-experiment="{experiment["id"]}"]')).to_contain_text("sizes")


def test_ranking_says_whether_intervals_overlap(studio: Studio, experiment: dict[str, Any]) -> None:
    page = studio.goto(f"experiments/{experiment['id']}")
    for figure in experiment["figures"]:
        best, other = best_first(figure)
        choose_figure(page, figure)
        verdict = page.locator(f'[data-verdict="{figure["name"]}"]')
        if best["mean"] == other["mean"]:
            expect(verdict).to_contain_text("have the same best mean")
        elif best["interval"][0] <= other["interval"][1] and other["interval"][0] <= best["interval"][1]:
            expect(verdict).to_contain_text(f"its interval overlaps that of {other['case']}")
            expect(verdict).to_contain_text("these seeds do not show that it is better")
        else:
            expect(verdict).to_contain_text("lies apart from every other interval")


def test_csv_equals_the_figures_of_the_api(studio: Studio, experiment: dict[str, Any], tmp_path: Path) -> None:
    page = studio.goto(f"experiments/{experiment['id']}")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of the cases").click()
    assert download.value.suggested_filename == "turns.csv"
    file = tmp_path / "turns.csv"
    download.value.save_as(file)
    with file.open(newline="") as opened:
        read = {(row["case"], row["figure"]): row for row in csv.DictReader(opened)}
    cells = {(cell["case"], one["name"]): cell for one in experiment["figures"] for cell in one["cases"]}
    assert set(read) == set(cells)
    for key, cell in cells.items():
        low, high = cell["interval"]
        row = read[key]
        numbers = [float(row[name]) for name in ("mean", "deviation", "interval_low", "interval_high")]
        assert numbers == [cell["mean"], cell["deviation"], low, high], key
        assert int(row["n"]) == cell["n"]


def test_cell_leads_to_its_job_and_the_job_back(studio: Studio, experiment: dict[str, Any]) -> None:
    page = studio.goto(f"experiments/{experiment['id']}")
    expect(page.locator("[data-cell]")).to_have_count(4)
    job = experiment["jobs"][0]
    page.locator(f'[data-cell="{job["id"]}"]').click()
    expect(page).to_have_url(re.compile(f"/jobs/{job['id']}$"))
    page.get_by_role("link", name="Part of an experiment").click()
    expect(page.locator("h1")).to_have_text("turns")


def test_fan_shows_mean_and_deviation_over_the_seeds(
    studio: Studio, service: Service, experiment: dict[str, Any]
) -> None:
    page = studio.goto(f"experiments/{experiment['id']}?curve=critic%2Fnon_saturating")
    case = experiment["cases"][0]
    curves = []
    for job in (one["id"] for one in experiment["jobs"] if one["case"] == case):
        (curve,) = service.client.get(f"/jobs/{job}/metrics", params={"name": "critic/non_saturating"}).json()["data"]
        curves.append(dict(curve["points"]))
    values = [curve[60] for curve in curves]
    entry = page.locator(".chart.whole .legend button").first.locator("span")
    expect(entry).to_contain_text("(2)")
    assert float(entry.get_attribute("data-value") or "nan") == pytest.approx(sum(values) / 2)


def test_fan_takes_only_steps_that_all_seeds_share(studio: Studio) -> None:
    page = studio.goto("experiments")
    expect(page.locator("h1")).to_be_visible()
    fan = page.evaluate(
        """async () => {
          const { fanOf } = await import("./fan.js");
          const fan = fanOf([new Map([[10, 1], [20, 2], [30, 3]]), new Map([[10, 3], [15, 9], [20, null]])]);
          return { mean: [...fan.mean], low: [...fan.low], seeds: [...fan.seeds] };
        }"""
    )
    # 15: one seed only; 20: a value that is not finite; 30: the second seed has not come so far.
    assert fan["mean"] == [[10, 2], [30, 3]]
    assert fan["low"] == [[10, pytest.approx(2 - 2**0.5)]]
    assert fan["seeds"][1] == [30, {"n": 1, "deviation": None}]


def test_verdict_is_honest_about_ties_overlaps_and_single_seeds(studio: Studio) -> None:
    page = studio.goto("experiments")
    expect(page.locator("h1")).to_be_visible()
    sentences = page.evaluate(
        """async () => {
          const { verdict } = await import("./figures.js");
          const of = (name, mean, interval) => ({ case: name, mean, deviation: null, interval, n: interval ? 3 : 1 });
          const say = (better, ...cases) => verdict({ better, cases }, (name) => name);
          return [
            say("low", of("a", 1, [0, 2]), of("b", 5, [4, 6])),
            say("high", of("a", 1, [0, 2]), of("b", 5, [4, 6])),
            say("low", of("a", 1, [0, 3]), of("b", 2, [1, 3]), of("c", 9, [8, 10])),
            say("low", of("a", 1, null), of("b", 2, null)),
            say("low", of("a", 1, [1, 1]), of("b", 1, [1, 1])),
            say(null, of("a", 1, [0, 2]), of("b", 5, [4, 6])),
          ];
        }"""
    )
    parts = (
        "a is best: 1 [0, 2]", "b is best: 5 [4, 6]", "overlaps that of b: these seeds do not show", "of one seed",
        "a and b have the same best mean", "No side of this figure is better",
    )  # fmt: skip
    for sentence, part in zip(sentences, parts, strict=True):
        assert part in sentence


def test_refusals_stand_beside_their_fields(studio: Studio) -> None:
    studio.expected = ("422",)
    page = studio.goto("experiments/new?dataset=ring8&steps=50&grid=%7B%22%2Fbatch_size%22%3A%5B0%5D%7D")
    batch = page.get_by_label("Batch size", exact=True)
    expect(page.locator(".varied .refusal")).to_contain_text("'batch_size' is 0: write a whole number from 1")
    batch.fill("16, 32")
    expect(page.locator(".varied .refusal")).to_be_hidden()
    page.get_by_label("Seeds").fill("1, 1")
    expect(page.locator(".setting", has=page.get_by_label("Seeds")).locator(".refusal")).to_contain_text("listed twice")
    page.get_by_label("Seeds").fill("2")
    page.get_by_label("Name", exact=True).fill("A B")
    expect(page.locator(".setting", has=page.get_by_label("Name", exact=True)).locator(".refusal")).to_contain_text(
        "'A B'"
    )
    page.get_by_label("Name", exact=True).fill("ab")
    expect(page.get_by_role("complementary")).to_contain_text("4: 2 cases, 2 seeds")


def test_families_become_cases(studio: Studio) -> None:
    page = studio.goto("experiments/new?dataset=digits&steps=50&seeds=2")
    page.get_by_role("button", name="Families").click()
    for family in ("gan", "dcgan"):
        page.get_by_role("checkbox", name=family, exact=True).check()
    expect(page.get_by_role("complementary").locator("li")).to_have_text(["gan", "dcgan"])
    expect(page).to_have_url(re.compile("families=gan(,|%2C)dcgan"))
    page.reload()
    expect(page.get_by_role("checkbox", name="dcgan", exact=True)).to_be_checked()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_barrier_and_fits_a_phone(
    service: Service, open_studio: Callable[..., Studio], experiment: dict[str, Any], scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    jobs = ",".join(job["id"] for job in experiment["jobs"])
    for path in (f"experiments/{experiment['id']}", f"compare?jobs={jobs}"):
        page = studio.goto(path)
        expect(page.locator(".chart").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        found = Axe().run(page).response["violations"]
        barriers = [f"{one['id']} {[node['target'] for node in one['nodes']]}" for one in found]
        assert not barriers, f"{path}: {barriers}"
        page.set_viewport_size({"width": 390, "height": 844})
        page.reload()
        expect(page.locator(".chart").first).to_be_visible()
        expect(page.locator("table").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.set_viewport_size({"width": 1280, "height": 800})
