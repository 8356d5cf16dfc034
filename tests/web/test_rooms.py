"""The other rooms in a real browser: what a person does there, by keyboard too, and who may enter."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, Route, expect

from tests.support.service import Service
from tests.web.conftest import Studio

KEY = "a key for the tests of the studio"
HOSTILE = "<img src=x onerror=alert(1)>"
ROOMS = (
    "jobs", "new", "compare", "experiments", "experiments/new", "sample", "translate", "spot", "models", "datasets",
    "datasets/digits", "lectures", "lectures?view=failure", "lectures?view=exercises", "system",
)  # fmt: skip


@pytest.fixture(scope="module")
def model(service: Service) -> str:
    """A small conditional model of digits."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}, "model": "digits"}
    job = service.client.post("/jobs", json=body).json()["id"]
    service.wait_for(job, "succeeded")
    return "digits@1"


def picture_of(page: Page, service: Service) -> Image.Image:
    source = page.locator("main img.sheet").first.get_attribute("src") or ""
    return Image.open(io.BytesIO(service.client.get(source).content))


def test_class_seven_is_sampled_and_its_link_shows_the_same(studio: Studio, service: Service, model: str) -> None:
    page = studio.goto(f"sample?model={model}&n=4&seed=3")
    page.get_by_role("button", name="7", exact=True).click()
    expect(page.locator("main img.sheet").first).to_have_attribute("src", re.compile("class=7"))
    image = picture_of(page, service)
    assert image.size[0] > 64
    expect(page).to_have_url(re.compile("class=7"))
    page.reload()
    expect(page.get_by_role("button", name="7", exact=True)).to_have_attribute("aria-pressed", "true")
    assert picture_of(page, service).tobytes() == image.tobytes()


def test_dropped_picture_brings_its_settings_back(studio: Studio, service: Service, model: str, tmp_path: Path) -> None:
    file = tmp_path / "seven.png"
    seed = 2**53 + 1
    query = f"model={model}&class=7&n=4&seed={seed}&temperature=0.5"
    file.write_bytes(service.client.get(f"/sample?{query}").content)
    page = studio.goto("sample")
    page.get_by_label("Open a picture's settings").set_input_files(file)
    expect(page.get_by_label("Seed", exact=True)).to_have_value(str(seed))
    expect(page.get_by_role("button", name="7", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page).to_have_url(re.compile(r"temperature=0\.5"))


def test_translated_picture_dropped_on_sample_opens_the_room_that_translates(
    studio: Studio, model: str, tmp_path: Path
) -> None:
    file, settings = tmp_path / "night.png", PngInfo()
    settings.add_text("forger", '{"model": "scenes@1", "direction": "b2a"}')
    Image.new("RGB", (16, 16)).save(file, pnginfo=settings)
    page = studio.goto("sample")
    page.get_by_label("Open a picture's settings").set_input_files(file)
    expect(page).to_have_url(re.compile(r"/studio/translate\?model=scenes%401&direction=b2a"))


def test_refused_seed_is_a_sentence_on_the_page(studio: Studio, model: str) -> None:
    studio.expected = ("422",)
    page = studio.goto(f"sample?model={model}&seed=-1")
    expect(page.get_by_role("alert")).not_to_be_empty()


def test_model_that_is_not_there_is_told_beside_the_pictures_of_another(studio: Studio, model: str) -> None:
    studio.expected = ("404",)
    page = studio.goto("sample?model=nobody@4&n=4")
    expect(page.locator("main img.sheet").first).to_have_js_property("complete", True)
    expect(page.get_by_role("alert")).to_have_text(re.compile(r"nobody.* is chosen\."))


def test_settings_of_sample_wait_for_a_model_that_loads_slowly(studio: Studio, model: str) -> None:
    first_request = studio.hold(f"**/models/{model}")
    page = studio.goto(f"sample?model={model}&n=4")
    request = first_request()
    assert page.get_by_label("Truncation").count() == 0
    request.continue_()
    page.get_by_label("Truncation").fill("0.5")
    expect(page.locator("main img.sheet").first).to_have_attribute("src", re.compile(r"truncation=0\.5"))


def test_model_page_shows_versions_with_explained_figures(studio: Studio, model: str) -> None:
    page = studio.goto("models")
    page.get_by_role("link", name=re.compile("digits")).first.click()
    expect(page.get_by_role("heading", name=model)).to_be_visible()
    expect(page.get_by_text("frechet ↓").first).to_have_attribute("title", re.compile("distance"))


def test_dataset_shows_real_pictures_of_a_class(studio: Studio) -> None:
    page = studio.goto("datasets/digits")
    page.get_by_role("group", name="Class").get_by_role("button", name="3", exact=True).click()
    expect(page.locator("main img.sheet")).to_have_js_property("complete", True)
    expect(page).to_have_url(re.compile("class=3"))


def test_upload_ends_at_its_page_where_hostile_names_are_text(studio: Studio, tmp_path: Path) -> None:
    archive = tmp_path / "Two Colours.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(12):
            content = io.BytesIO()
            Image.new("RGB", (32, 32), (20 * number, 90, 160)).save(content, "PNG")
            file.writestr(f"{'warm' if number % 2 else HOSTILE}/{number}.png", content.getvalue())
    page = studio.goto("datasets")
    page.get_by_text("Upload a dataset").click()
    page.get_by_label("Choose a ZIP").set_input_files(archive)
    expect(page.get_by_label("Name", exact=True)).to_have_value("two-colours")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page).to_have_url(re.compile("datasets/two-colours"))
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    expect(page.get_by_role("button", name=HOSTILE)).to_be_visible()
    assert page.locator("img[onerror]").count() == 0


def test_system_names_parts_queues_and_limits(studio: Studio) -> None:
    page = studio.goto("system")
    expect(page.get_by_text("queue training")).to_be_visible()
    expect(page.get_by_text("max_upload_bytes")).to_be_visible()


def test_long_name_of_a_worker_wraps_in_its_card(studio: Studio) -> None:
    def with_worker(route: Route) -> None:
        system = route.fetch().json()
        attempt = {"job": "job_1", "kind": "train", "worker": "training@" + "x" * 90, "heartbeat_at": None}
        route.fulfill(json={**system, "attempts": [attempt]})

    studio.page.route(
        "**/system", lambda route: with_worker(route) if route.request.resource_type == "fetch" else route.continue_()
    )
    page = studio.goto("system")
    table = page.get_by_role("table").filter(has_text="heartbeat")
    expect(table).to_contain_text("training@")
    assert table.evaluate("table => table.scrollWidth <= table.parentElement.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_room_has_a_serious_barrier(
    service: Service, open_studio: Callable[..., Studio], model: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    barriers = []
    for path in ROOMS:
        page = studio.goto(path)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_load_state("networkidle")
        found = Axe().run(page)
        barriers += [
            f"{path}: {one['id']} {[node['target'] for node in one['nodes']]}"
            for one in found.response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
    assert not barriers, "\n".join(barriers)


def test_every_room_is_reached_by_keyboard(studio: Studio, model: str) -> None:
    page = studio.goto("jobs")
    expect(page.locator("h1")).to_have_text("Jobs")
    for key, title in (
        ("n", "New job"), ("c", "Compare"), ("e", "Experiments"), ("s", "Sample"), ("t", "Translate"),
        ("f", "Spot the fake"), ("m", "Models"), ("d", "Datasets"), ("l", "Lectures"), ("y", "System"), ("j", "Jobs"),
    ):  # fmt: skip
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.locator("h1")).to_have_text(title)


def test_phone_has_no_sideways_scroll(service: Service, open_studio: Callable[..., Studio], model: str) -> None:
    studio = open_studio(service.url)
    studio.page.set_viewport_size({"width": 390, "height": 844})
    for path in ROOMS:
        page = studio.goto(path)
        expect(page.locator("h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path


@pytest.fixture(scope="module")
def keyed(start_service: Callable[..., Service]) -> Service:
    return start_service(FORGER_API_KEY=KEY)


def test_key_is_asked_for_once_and_a_wrong_one_is_refused(keyed: Service, open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(keyed.url)
    studio.expected = ("401",)
    page = studio.goto("jobs")
    page.get_by_label("The service's key").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not this service's")
    page.get_by_label("The service's key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text("Jobs")
    page.reload()
    expect(page.locator("h1")).to_have_text("Jobs")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("The service's key")).to_be_visible()
    assert KEY not in str(page.context.storage_state())


def test_reference_works_under_the_policy(studio: Studio) -> None:
    studio.page.goto(f"{studio.url}/docs")
    expect(studio.page.locator(".opblock").first).to_be_visible()
    expect(studio.page.get_by_text("/sample", exact=True).first).to_be_visible()
