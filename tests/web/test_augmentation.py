"""A labelled dataset is augmented in the studio: the plan, the job with its stages, and the report."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.service import Service
from tests.support.zips import classes, zipped
from tests.web.conftest import Studio

SUMMARY = "Augment: do generated pictures help?"
BODY = {"dataset": "digits", "per_class": 20, "seeds": 3, "classifier_steps": 10, "budget": {"steps": 150}}


def augmented(service: Service, **body: Any) -> str:
    reply = service.client.post("/augmentations", json=BODY | body)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["job"]["id"])


@pytest.fixture(scope="module")
def trained(service: Service) -> str:
    """A model that a person trained."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 5}, "model": "trained"}
    service.wait_for(service.client.post("/jobs", json=body).json()["id"], "succeeded")
    return "trained@1"


@pytest.fixture(scope="module")
def job(service: Service, trained: str) -> str:
    """An augmentation that has succeeded, later than the training."""
    job = augmented(service)
    service.wait_for(job, "succeeded")
    return job


@pytest.fixture(scope="module")
def pets(service: Service) -> str:
    """An uploaded dataset of few pictures."""
    files = {"file": ("pets.zip", zipped(classes("cat", "dog", each=10)))}
    assert service.client.post("/datasets", files=files, data={"name": "pets"}).status_code == 201
    return "pets"


def open_form(studio: Studio, dataset: str) -> Page:
    page = studio.goto(f"datasets/{dataset}")
    page.get_by_text(SUMMARY).click()
    expect(page.get_by_role("form", name="Augment").get_by_role("listitem").first).to_be_visible()
    return page


def test_person_augments_a_dataset_by_keyboard_from_plan_to_report(
    studio: Studio, service: Service, job: str, tmp_path: Path
) -> None:
    page = studio.goto("datasets/digits")
    page.get_by_text(SUMMARY).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("augment=open"))
    form = page.get_by_role("form", name="Augment")
    expect(form.get_by_label("Who draws them")).to_have_value("cdcgan-digits-augment@1")
    form.get_by_label("Who draws them").select_option(label="Train a model first")
    for title, value in (
        ("Pictures of each class", "20"), ("Training steps", "150"), ("Seeds", "3"), ("Steps of a classifier", "10"),
    ):  # fmt: skip
        form.get_by_label(title, exact=True).fill(value)
    plan = form.get_by_role("status")
    expect(plan).to_contain_text("cdcgan learns the dataset for 150 steps")
    expect(plan).to_contain_text("keeps up to 200 of its pictures, 20 of each class")
    expect(plan).to_contain_text("It becomes the model cdcgan-digits-augment")
    expect(plan).to_contain_text("12 classifiers are trained for 10 steps each")
    expect(plan).to_contain_text("half of each batch generated, half real")
    expect(plan).to_contain_text("every fifth picture of each class")
    form.get_by_role("button", name="Augment").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/jobs/job_"))
    expect(page.get_by_role("heading", name="Augmentation of digits")).to_be_visible()
    stages = page.get_by_role("region", name="Stages")
    for title in ("Train the generator", "Draw and filter", "Train classifiers"):
        expect(stages).to_contain_text(title)
    report = page.get_by_role("region", name="Report")
    expect(report).to_be_visible()
    expect(stages).to_be_hidden()
    with page.expect_download() as download:
        report.get_by_role("link", name="Pictures (ZIP)").click()
    download.value.save_as(tmp_path / "pictures.zip")
    with zipfile.ZipFile(tmp_path / "pictures.zip") as archive:
        assert "labels.csv" in archive.namelist()


def test_report_has_every_figure_of_the_service(studio: Studio, service: Service, job: str) -> None:
    report = service.client.get(f"/augmentations/{job}").json()["report"]
    page = studio.goto(f"jobs/{job}")
    region = page.get_by_role("region", name="Report")
    expect(region).to_contain_text(report["verdict"])
    expect(region.locator("[data-verdict]")).to_have_attribute("data-verdict", str(report["useful"]).lower())
    for warning in report["warnings"]:
        expect(region).to_contain_text(warning)
    for arm, spread in report["accuracy"].items():
        cells = region.locator(f"tr[data-arm={arm}] td")
        expect(cells.nth(0)).to_have_text(f"{100 * spread['mean']:.1f}")
        expect(cells.nth(1)).to_have_text(f"± {100 * spread['deviation']:.1f}")
        if arm != "real":
            gain = report["gains"][arm]
            expect(cells.nth(3)).to_have_text(f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}")
    expect(region.locator("tr[data-class]")).to_have_count(len(report["classes"]))
    for one in report["classes"][:3]:
        cells = region.locator(f'tr[data-class="{one["name"]}"] td')
        for column, recall in ((0, one["recall_before"]), (1, one["recall_after"])):
            expect(cells.nth(column)).to_have_text(f"{100 * recall['mean']:.1f} ± {100 * recall['deviation']:.1f}")
        expect(cells.nth(5)).to_have_text(str(one["generated"]))
        expect(cells.nth(9)).to_have_text(str(one["kept"]))
    kept = sum(one["kept"] for one in report["classes"])
    expect(region).to_contain_text(f"The filter kept {kept} of ")
    with page.expect_download() as download:
        region.get_by_role("link", name="Report (JSON)").click()
    assert download.value.suggested_filename.endswith(".json")


def test_room_sample_begins_with_a_trained_model_though_the_augmentation_is_newer(
    studio: Studio, job: str, trained: str
) -> None:
    page = studio.goto("sample")
    expect(page.get_by_role("combobox", name="Model")).to_have_value(trained)


def test_list_of_jobs_tells_augmentations_apart(studio: Studio, job: str) -> None:
    page = studio.goto("jobs?kind=augment")
    expect(page.locator(f'[data-job="{job}"]')).to_contain_text("augmentation")
    expect(page.locator(f'[data-job="{job}"]')).to_contain_text("20 a class, seed 0")


def test_plan_warns_of_classes_of_few_pictures(studio: Studio, pets: str) -> None:
    page = open_form(studio, pets)
    warning = page.get_by_text("Fewer than 50 real training pictures: cat and dog.")
    expect(warning).to_be_visible()


def test_refused_plan_is_a_sentence_at_its_field_and_cannot_be_started(studio: Studio) -> None:
    studio.expected = ("422",)
    page = open_form(studio, "digits")
    page.get_by_label("Pictures of each class").fill("0")
    form = page.get_by_role("form", name="Augment")
    expect(form.get_by_label("Pictures of each class")).to_have_attribute("aria-invalid", "true")
    expect(form.get_by_role("status")).to_contain_text("It cannot be augmented like this:")
    expect(form.get_by_role("button", name="Augment")).to_be_disabled()


def test_dataset_without_classes_has_no_such_part(studio: Studio) -> None:
    page = studio.goto("datasets/ring8")
    expect(page.get_by_role("heading", name="ring8")).to_be_visible()
    expect(page.get_by_text(SUMMARY)).to_have_count(0)


def test_cancelled_augmentation_says_that_it_has_no_report(studio: Studio, service: Service) -> None:
    job = augmented(service, budget={"steps": 20_000})
    page = studio.goto(f"jobs/{job}")
    expect(page.get_by_role("region", name="Stages")).to_contain_text("20,000 steps")
    service.client.post(f"/jobs/{job}/cancel")
    expect(page.get_by_role("region", name="Report")).to_contain_text("It ended before its report")
    expect(page.get_by_role("region", name="Stages")).to_be_visible()


def test_failed_augmentation_says_why_and_that_it_has_no_report(studio: Studio, service: Service) -> None:
    """The service has no CIFAR-10, which the job notices when it begins."""
    job = augmented(service, dataset="cifar10", budget={"steps": 10})
    service.wait_for(job, "failed")
    page = studio.goto(f"jobs/{job}")
    expect(page.get_by_text("Why it failed:")).to_be_visible()
    expect(page.get_by_role("region", name="Report")).to_contain_text("It ended before its report")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_form_and_report_have_no_serious_barrier_and_fit_a_phone(
    service: Service, open_studio: Callable[..., Studio], job: str, pets: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    page = studio.page
    for path, shown in (
        (f"datasets/{pets}?augment=open", page.get_by_role("form", name="Augment")),
        (f"jobs/{job}", page.get_by_role("region", name="Report")),
    ):
        page.set_viewport_size({"width": 390, "height": 844})
        studio.goto(path)
        expect(shown).to_be_visible()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.set_viewport_size({"width": 1280, "height": 800})
        found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
        assert not found, (path, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found])


def test_newest_version_that_fits_is_chosen_and_its_trouble_is_named(
    studio: Studio, service: Service, job: str
) -> None:
    hasty = augmented(service, per_class=1, budget={"steps": 1})
    service.wait_for(hasty, "succeeded")
    older, newest = (service.client.get(f"/jobs/{id_}").json()["result"]["model"] for id_ in (job, hasty))
    page = open_form(studio, "digits")
    options = page.get_by_label("Who draws them").get_by_role("option")
    expect(page.get_by_label("Who draws them")).to_have_value(newest)
    expect(options.first).to_have_text(f"{newest} (troubled)")
    expect(options.filter(has_text=older)).to_have_count(1)
    page.get_by_label("Who draws them").select_option(label="Train a model first")
    page.get_by_label("Training steps").fill("1")
    expect(page.get_by_role("form").get_by_role("status")).to_contain_text("for 1 step.")
