"""The models' room compares pictures by the features that a version computes from them."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.support.service import Service
from tests.support.zips import classes, noise, saved, zipped
from tests.web.conftest import Studio


def train(service: Service, recipe: str, dataset: str, model: str) -> str:
    job = service.post(recipe=recipe, dataset=dataset, budget={"steps": 20}, model=model, overrides={"watch": None})
    service.wait_for(job, "succeeded")
    return job


@pytest.fixture(scope="module")
def critic(service: Service) -> str:
    train(service, "cdcgan", "digits", "seen")
    return "seen@1"


def features(page: Page, model: str) -> Locator:
    """Open the part about features on the card of a version."""
    page.get_by_role("region", name=model, exact=True).get_by_text("Features", exact=True).click()
    return page.get_by_role("region", name=f"Features of {model}")


def examples(service: Service, n: int) -> list[bytes]:
    """Return the first pictures that the room offers as examples."""
    reply = service.client.get("/datasets/digits/pictures?format=json&n=8&seed=1").json()
    return [base64.b64decode(image) for image in reply["images"][:n]]


def computed(service: Service, model: str, pictures: list[bytes]) -> Any:
    files = [("file", (f"{at}.png", picture)) for at, picture in enumerate(pictures)]
    reply = service.client.post("/features", files=files, data={"model": model})
    assert reply.status_code == 200, reply.text
    return reply.json()


def numbers(part: Locator) -> list[str]:
    return part.get_by_role("table").get_by_role("cell").filter(has_text=re.compile(r"^-?[0-9.]+$")).all_text_contents()


def test_table_holds_the_cosines_of_the_features_of_the_api(studio: Studio, service: Service, critic: str) -> None:
    part = features(studio.goto("models/seen"), critic)
    for number in (1, 2, 3):
        part.get_by_role("button", name=f"Example {number}").click()
    expect(part.get_by_role("row")).to_have_count(4)
    vectors = np.asarray(computed(service, critic, examples(service, 3))["features"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    assert numbers(part) == [f"{value:.2f}" for value in cosines.flatten()]
    most = max([(0, 1), (0, 2), (1, 2)], key=lambda pair: cosines[pair])
    expect(
        part.get_by_text(f"Most alike: pictures {most[0] + 1} and {most[1] + 1} ({cosines[most]:.2f}).")
    ).to_be_visible()


def test_features_are_downloaded_as_the_api_gives_them(
    studio: Studio, service: Service, critic: str, tmp_path: Path
) -> None:
    pictures = examples(service, 2)
    paths = [tmp_path / f"{at}.png" for at in range(2)]
    for path, picture in zip(paths, pictures, strict=True):
        path.write_bytes(picture)
    part = features(studio.goto("models/seen"), critic)
    part.get_by_label("Choose pictures").set_input_files(paths)
    reply = computed(service, critic, pictures)
    with studio.page.expect_download() as download:
        part.get_by_role("link", name="Download JSON").click()
    assert json.loads(Path(download.value.path()).read_bytes()) == reply
    with studio.page.expect_download() as download:
        part.get_by_role("button", name="Download for NumPy").click()
    assert download.value.suggested_filename == f"{critic}-features.npz"
    array = np.load(io.BytesIO(Path(download.value.path()).read_bytes()))["features"]
    assert np.array_equal(array, np.asarray(reply["features"], np.float32))


def test_pictures_are_removed_by_keyboard_one_by_one_and_all(studio: Studio, critic: str) -> None:
    part = features(studio.goto("models/seen"), critic)
    for number in (1, 2, 3):
        part.get_by_role("button", name=f"Example {number}").press("Enter")
    expect(part.get_by_role("row")).to_have_count(4)
    before = numbers(part)
    part.get_by_role("button", name="Remove picture 1").press("Enter")
    expect(part.get_by_role("row")).to_have_count(3)
    assert numbers(part) == [before[at] for at in (4, 5, 7, 8)]
    expect(part.get_by_role("button", name="Remove picture 1")).to_be_focused()
    part.get_by_role("button", name="Remove all").press("Enter")
    expect(part.get_by_text("Choose two pictures or more.")).to_be_visible()
    expect(part.get_by_role("table")).to_have_count(0)


def test_measured_probe_is_a_sentence_on_the_card(studio: Studio, service: Service) -> None:
    train(service, "vae", "digits", "coded")
    page = studio.goto("models/coded")
    part = features(page, "coded@1")
    expect(part.get_by_text("forger evaluate coded@1 --figure probe")).to_be_visible()
    part.get_by_role("button", name="Measure it").click()
    expect(page).to_have_url(re.compile("jobs/job_"))
    service.wait_for(page.url.rsplit("/", 1)[1], "succeeded")
    part = features(studio.goto("models/coded"), "coded@1")
    accuracy = service.client.get("/models/coded@1").json()["card"]["probe"]["accuracy"]["value"]
    expect(part.get_by_role("region", name="Linear probe")).to_contain_text(
        f"A linear classifier on these features names the class of {100 * accuracy:.1f} %"
    )


def test_refused_picture_is_a_sentence_at_its_place(studio: Studio, tmp_path: Path, critic: str) -> None:
    studio.expected = ("422",)
    tiny = tmp_path / "tiny.png"
    tiny.write_bytes(saved(noise(1, 1, 1, "L")))
    part = features(studio.goto("models/seen"), critic)
    part.get_by_role("button", name="Example 1").click()
    expect(part.get_by_text("Add another picture")).to_be_visible()
    part.get_by_label("Choose pictures").set_input_files(tiny)
    expect(part.get_by_role("alert").filter(has_text="16")).to_be_visible()
    part.get_by_role("button", name="Example 2").click()
    expect(part.get_by_role("row")).to_have_count(3)
    expect(part.get_by_text("Most alike: pictures 1 and 2")).to_be_visible()


def test_model_of_one_class_and_without_a_critic_says_what_is_missing(studio: Studio, service: Service) -> None:
    reply = service.client.post(
        "/datasets", files={"file": ("x.zip", zipped(classes("one", each=40)))}, data={"name": "one-class"}
    )
    assert reply.status_code == 201, reply.text
    job = train(service, "dcgan", "one-class", "plain")
    part = features(studio.goto("models/plain"), "plain@1")
    expect(part.get_by_text("one-class has fewer than two")).to_be_visible()
    expect(part.get_by_role("button", name="Measure it")).to_have_count(0)
    assert service.client.delete(f"/jobs/{job}").status_code == 204
    part = features(studio.goto("models/plain"), "plain@1")
    expect(part.get_by_text("The critic of plain@1 is not here")).to_be_visible()
    expect(part.get_by_label("Choose pictures")).to_have_count(0)


def test_model_of_points_has_no_features(studio: Studio, service: Service) -> None:
    train(service, "gan", "ring8", "points")
    page = studio.goto("models/points")
    expect(page.get_by_role("region", name="points@1")).to_be_visible()
    expect(page.get_by_text("Features", exact=True)).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_features_have_no_serious_barrier_and_fit_a_phone(
    service: Service, open_studio: Callable[..., Studio], critic: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    page = studio.goto("models/seen")
    part = features(page, critic)
    for number in range(1, 9):
        part.get_by_role("button", name=f"Example {number}").click()
    expect(part.get_by_role("row")).to_have_count(9)
    page.wait_for_load_state("networkidle")
    found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    part.get_by_role("table").scroll_into_view_if_needed()
    expect(part.get_by_role("button", name="Remove picture 1")).to_be_in_viewport(ratio=1)
