"""The models' room takes models in and gives them away, and its cards show what a model draws."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.support.foreign_networks import CycleganResnet, DcganExample
from tests.support.service import Service
from tests.web.conftest import Studio


@pytest.fixture(scope="module")
def job(service: Service) -> str:
    """A finished training of digits; its model is `away@1`."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}, "model": "away"}
    job = service.client.post("/jobs", json=body).json()["id"]
    service.wait_for(job, "succeeded")
    return str(job)


@pytest.fixture
def weights(service: Service, job: str, tmp_path: Path) -> Path:
    """The file of the trained model."""
    (export,) = service.client.get(f"/jobs/{job}/artifacts?kind=export").json()["data"]
    path = tmp_path / "Digits from Away.safetensors"
    path.write_bytes(service.client.get(export["href"]).content)
    return path


def test_model_is_exported_with_its_parity(studio: Studio, job: str, tmp_path: Path) -> None:
    page = studio.goto("models/away")
    page.get_by_label("Format of away@1").select_option("safetensors")
    with page.expect_download() as download:
        page.get_by_role("form", name="Export away@1").get_by_role("button", name="Export").click()
    expect(page.get_by_text(re.compile(r"^Parity: .* over 64 inputs\."))).to_be_visible()
    assert download.value.suggested_filename == "away@1-safetensors.zip"
    download.value.save_as(tmp_path / "away.zip")
    with zipfile.ZipFile(tmp_path / "away.zip") as archive:
        assert {"weights.safetensors", "card.json"} <= {Path(name).name for name in archive.namelist()}


def few_examples(route: Route) -> None:
    """Let a job that the page creates measure few examples."""
    body = route.request.post_data_json
    route.continue_(post_data={**body, "n": 200} if body else None)


def test_card_measures_and_draws_fidelity_against_diversity(studio: Studio, service: Service, job: str) -> None:
    page = studio.goto("models/away")
    expect(page.get_by_text("forger evaluate away@1 --curve")).to_be_visible()
    page.route("**/jobs", few_examples)
    page.get_by_role("button", name="Measure it").click()
    expect(page).to_have_url(re.compile("jobs/job_"))
    service.wait_for(page.url.rsplit("/", 1)[1], "succeeded")
    page = studio.goto("models/away")
    figure = page.get_by_role("region", name="Fidelity against diversity")
    expect(figure.get_by_role("img", name="4 temperatures and 5 truncations")).to_be_visible()
    figure.get_by_text("As a table").press("Enter")
    expect(figure.get_by_role("rowheader", name="truncation")).to_have_count(5)
    curve = service.client.get("/models/away@1").json()["card"]["curve"]
    row = figure.get_by_role("row", name=re.compile("^temperature 0.25"))
    shown = [float(text.replace(",", "")) for text in row.get_by_role("cell").all_inner_texts()]
    assert shown == pytest.approx(list(curve["temperature"][0].values()), rel=1e-2)


def test_refused_export_is_a_sentence_at_its_place(studio: Studio, job: str) -> None:
    studio.expected = ("404",)
    page = studio.goto("models/away")
    page.route("**/export?*", lambda route: route.continue_(url=route.request.url.replace("away@1", "away@99")))
    form = page.get_by_role("form", name="Export away@1")
    form.get_by_role("button", name="Export").click()
    expect(form.get_by_role("alert")).to_contain_text("away")


def test_imported_file_opens_its_card(studio: Studio, weights: Path) -> None:
    page = studio.goto("models")
    page.get_by_text("Import a model").click()
    page.get_by_label("File", exact=True).set_input_files(weights)
    expect(page.get_by_label("Name", exact=True)).to_have_value("digits-from-away")
    page.get_by_label("Licence", exact=True).fill("CC-BY-4.0")
    page.get_by_label("Source", exact=True).fill("the laboratory's other machine")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page).to_have_url(re.compile("models/digits-from-away"))
    card = page.get_by_role("region", name="digits-from-away@1")
    expect(card).to_contain_text("CC-BY-4.0")
    expect(card).to_contain_text("the laboratory's other machine")


@pytest.mark.usefixtures("job")
def test_foreign_translator_is_imported_and_translates(studio: Studio, service: Service, tmp_path: Path) -> None:
    for way in "ab":
        torch.save(CycleganResnet(8, 6).state_dict(), tmp_path / f"{way}.pth")
    page = studio.goto("models")
    page.get_by_text("Import a model").click()
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "a.pth")
    page.get_by_label("Way back (optional)").set_input_files(tmp_path / "b.pth")
    for label, text in (("Name", "horses"), ("Licence", "unknown"), ("Source", "unknown")):
        page.get_by_label(label, exact=True).fill(text)
    page.get_by_role("button", name="Import", exact=True).click()
    card = page.get_by_role("region", name="horses@1")
    expect(card).to_contain_text(re.compile("dataset *not known"))
    expect(card.get_by_text("step", exact=True)).to_have_count(0)
    card.get_by_role("link", name="Translate").click()
    expect(page.get_by_text("This model was trained elsewhere")).to_be_visible()
    expect(page.locator("#model")).to_have_value("horses@1")
    expect(page.get_by_label("Size of the picture")).to_be_hidden()
    picture = service.client.get("/sample", params={"model": "away", "n": 1, "scale": 4}).content
    page.get_by_label("Choose pictures").set_input_files({"name": "0.png", "mimeType": "image/png", "buffer": picture})
    expect(page.get_by_role("link", name="Download PNG")).to_be_visible()


@pytest.mark.usefixtures("job")
def test_foreign_generator_is_not_compared_with_data(studio: Studio, service: Service) -> None:
    file = io.BytesIO()
    torch.save(DcganExample(width=8).state_dict(), file)
    reply = service.client.post("/models/import", data={"name": "faces"}, files={"file": ("g.pth", file.getvalue())})
    assert reply.status_code == 201, reply.text
    page = studio.goto("sample?model=faces@1")
    expect(page.locator("#model")).to_have_value("faces@1")
    nearest = page.get_by_role("button", name="Nearest training picture")
    expect(nearest).to_have_count(0)
    page.locator("#model").select_option("away@1")
    expect(nearest).to_be_visible()
    page = studio.goto("translate?model=faces@1")
    examples = page.get_by_role("group", name="Examples")
    expect(page.locator("#model")).to_have_value("faces@1")
    expect(examples).to_be_hidden()
    page.locator("#model").select_option("away@1")
    expect(examples).to_be_visible()
    page = studio.goto("spot")
    expect(page.locator("#model")).to_contain_text("away@1")
    expect(page.locator("#model")).not_to_contain_text("faces@1")


def test_refused_file_is_a_sentence_beside_its_field(studio: Studio, job: str, tmp_path: Path) -> None:
    studio.expected = ("422", "415")
    file = tmp_path / "notes.pth"
    file.write_text("no weights")
    page = studio.goto("models")
    page.get_by_text("Import a model").click()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_label("Licence", exact=True).fill("unknown")
    page.get_by_label("Source", exact=True).fill("unknown")
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#import-file-refusal")).not_to_be_empty()
    expect(page.get_by_label("File", exact=True)).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_models_have_no_serious_barrier_and_fit_a_phone(
    service: Service, open_studio: Callable[..., Studio], job: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    for path in ("models", "models/away"):
        studio.page.set_viewport_size({"width": 1280, "height": 800})
        page = studio.goto(path)
        expect(page.locator("h1")).to_be_visible()
        if path == "models":
            page.get_by_text("Import a model").click()
        page.wait_for_load_state("networkidle")
        found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
        assert not found, (path, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found])
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
