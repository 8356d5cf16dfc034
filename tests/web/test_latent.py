"""The tools of the latent space in the sample room: ways, sums, the pad, and truncation."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, Request, expect

from forger.png_text import picture_recipe
from tests.support.service import Service
from tests.web.conftest import Studio
from tests.web.page_pictures import transfer

VIEWS = ("interpolate&way=3.0,3.1,3.2", "arithmetic&a=1.0:7&b=2.0:7&c=3.0:3", "pad", "edit&moves=axe-1:2")


@pytest.fixture(scope="module")
def model(service: Service) -> str:
    """A small conditional model of digits."""
    body = {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}, "model": "latent"}
    job = service.client.post("/jobs", json=body).json()["id"]
    service.wait_for(job, "succeeded")
    return "latent@1"


def open_view(studio: Studio, model: str, view: str) -> Page:
    return studio.goto(f"sample?model={model}&n=4&seed=3&view={view}")


def source_of(page: Page, name: str) -> str:
    """Return the address of the picture with this text; it is there."""
    picture = page.get_by_role("img", name=name)
    expect(picture).to_have_js_property("complete", True)
    return picture.get_attribute("src") or ""


def test_clicked_samples_become_a_way_that_plays_and_is_saved(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    page = open_view(studio, model, "interpolate")
    tray = page.get_by_role("group", name="Samples to choose from")
    tray.get_by_role("button").nth(0).click()
    expect(page.get_by_role("img", name=re.compile("Waypoint 1"))).to_be_visible()
    tray.get_by_role("button").nth(1).press("Enter")
    page.get_by_role("spinbutton", name="Frames").fill("7")
    page.get_by_label("Back to the first").check()
    expect(page.get_by_role("group", name="Frames").get_by_role("button")).to_have_count(7)
    first = source_of(page, "Frame 1 of 7")
    page.get_by_role("slider", name="Frame").press("ArrowRight")
    assert source_of(page, "Frame 2 of 7") != first
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("img", name="Frame 5 of 7")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="WebP").click()
    download.value.save_as(tmp_path / "way.webp")
    animation = Image.open(io.BytesIO((tmp_path / "way.webp").read_bytes()))
    assert animation.format == "WEBP"
    assert getattr(animation, "n_frames", 1) > 1  # equal neighbours are one frame
    page.reload()
    expect(page.get_by_role("group", name="Frames").get_by_role("button")).to_have_count(7)
    page.get_by_role("button", name="Remove waypoint 1").click()
    expect(page.get_by_text("Choose two samples or more.")).to_be_visible()


def test_way_is_copied_as_requests(open_studio: Callable[..., Studio], service: Service, model: str) -> None:
    studio = open_studio(service.url, permissions=["clipboard-read", "clipboard-write"])
    page = open_view(studio, model, "interpolate&way=3.0:7,4.0:1&frames=5&mode=linear")
    for words, parts in (
        ("curl", ("/interpolate?", "from=3.0%3A7", "mode=linear", "format=webp")),
        ("CLI", ("forger interpolate 3.0:7 4.0:1", "--frames 5", "--mode linear", f"--model {model}")),
        ("Python", ('interpolate("3.0:7", "4.0:1"', "frames=5", f'model="{model}"')),
    ):
        page.get_by_role("button", name=f"Copy as {words}").click()
        expect(page.get_by_text(f"The {words} is in the clipboard.")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert all(part in copied for part in parts), copied


def test_seven_minus_seven_plus_three_is_a_three_and_its_result_is_a_term_again(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    page = open_view(studio, model, "arithmetic")
    for letter, name in (("A", "1.0:7"), ("B", "2.0:7"), ("C", "3.0:3")):
        page.get_by_label(f"Seed for {letter}").fill(name)
        page.get_by_label(f"Seed for {letter}").press("Enter")
        expect(page.get_by_role("img", name=f"{letter} 1: {name}")).to_be_visible()
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("class 3")
    terms = [{"samples": ["1.0:7"]}, {"samples": ["2.0:7"], "weight": -1}, {"samples": ["3.0:3"]}]
    reply = service.client.post("/latent/arithmetic", json={"model": model, "terms": terms, "scale": 8}).json()
    assert source_of(page, "The result").endswith(reply["result"]["image"])
    with page.expect_download() as download:
        result.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "sum.png")
    page.get_by_role("button", name="Use as C").click()
    expect(page.get_by_role("img", name="C 2: a result")).to_be_visible()
    page.reload()
    expect(page.get_by_role("img", name="C 1: 3.0:3")).to_be_visible()
    page.get_by_label("Picture for B").set_input_files(tmp_path / "sum.png")
    expect(page.get_by_role("img", name="B 2: a result")).to_be_visible()


def test_result_between_classes_names_each_with_its_share(studio: Studio, model: str) -> None:
    page = open_view(studio, model, "arithmetic")
    for letter, name in (("A", "1.0:7"), ("B", "2.0:1"), ("C", "3.0:3")):
        page.get_by_label(f"Seed for {letter}").fill(name)
        page.get_by_label(f"Seed for {letter}").press("Enter")
    expect(page.get_by_role("region", name="Result")).to_contain_text(
        re.compile(r"a mixture of the classes (7 \(50 %\), 3|3 \(50 %\), 7) \(50 %\)")
    )


def test_picture_of_ones_own_in_a_slot_is_sent_to_the_search(studio: Studio, model: str, tmp_path: Path) -> None:
    Image.new("L", (16, 16)).save(tmp_path / "own.png")
    page = open_view(studio, model, "arithmetic")
    page.get_by_label("Picture for A").set_input_files(tmp_path / "own.png")
    expect(page.get_by_role("region", name="Slot A").get_by_role("alert")).to_contain_text("find its latent under Edit")


def test_clicked_dragged_and_opened_pictures_fill_the_slots(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    file = tmp_path / "nine.png"
    file.write_bytes(service.client.get(f"/sample?model={model}&class=9&seed=8&temperature=0.5").content)
    page = open_view(studio, model, "arithmetic")
    tile = page.get_by_role("group", name="Samples to choose from").get_by_role("button").first
    tile.click()
    expect(page.get_by_role("img", name=re.compile("A 1: 3.0"))).to_be_visible()
    tile.drag_to(page.get_by_role("region", name="Slot B"))
    expect(page.get_by_role("img", name=re.compile("B 1: 3.0"))).to_be_visible()
    page.get_by_label("Picture for C").set_input_files(file)
    expect(page.get_by_role("img", name="C 1: a result")).to_be_visible()  # its temperature is another one
    dropped = {"dataTransfer": transfer(page, (file.name, file.read_bytes()))}
    page.get_by_role("region", name="Slot B").dispatch_event("drop", dropped)
    expect(page.get_by_role("img", name="B 2: a result")).to_be_visible()
    page.get_by_role("button", name="Remove picture 1 of A").click()
    expect(page.get_by_role("img", name=re.compile("A 1"))).to_have_count(0)


def test_sheet_in_a_slot_is_refused_by_a_sentence(studio: Studio, service: Service, model: str, tmp_path: Path) -> None:
    file = tmp_path / "sheet.png"
    file.write_bytes(service.client.get(f"/sample?model={model}&n=4&seed=8").content)
    page = open_view(studio, model, "arithmetic")
    page.get_by_label("Picture for A").set_input_files(file)
    expect(page.get_by_role("region", name="Slot A").get_by_role("alert")).to_contain_text("single sample")


def test_corner_of_the_pad_is_its_sample_and_arrow_keys_leave_it(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    page = open_view(studio, model, "pad&corners=1.0:7,2.0:7,3.0:3,4.0:1&x=0&y=0")
    pad = page.get_by_role("application", name="Latent pad")
    expect(page.get_by_role("img", name="top left: 1.0:7")).to_be_visible()
    drawn = saved(page, tmp_path)
    corner = service.client.get(f"/sample?model={model}&class=7&seed=1&scale=16").content
    assert Image.open(io.BytesIO(corner)).tobytes() == drawn.tobytes()
    before = source_of(page, "The picture at this place")
    pad.press("Shift+ArrowRight")
    expect(page.get_by_role("img", name="The picture at this place")).not_to_have_attribute("src", before)
    expect(page.get_by_text("10 % across, 0 % down")).to_be_visible()
    expect(page).to_have_url(re.compile(r"x=0\.1"))


def saved(page: Page, folder: Path) -> Image.Image:
    expect(page.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("blob:"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(folder / "latent.png")
    assert "latent" in (picture_recipe(folder / "latent.png") or {})
    return Image.open(io.BytesIO((folder / "latent.png").read_bytes()))


def test_pad_whose_samples_load_slowly_takes_the_pointer_and_another_span(studio: Studio, model: str) -> None:
    page = open_view(studio, model, "pad&span=directions")
    expect(page.get_by_role("img", name="top: 3.2")).to_be_visible()
    first_request = studio.hold("**/interpolate?*")
    page.get_by_role("button", name="Four corners").click()
    pad = page.get_by_role("application", name="Latent pad")
    pad.press("ArrowRight")
    first_request().continue_()
    expect(page.get_by_role("img", name="bottom right: 3.3")).to_be_visible()


def test_edit_offers_its_request_once_the_sample_is_there(studio: Studio, model: str) -> None:
    first_request = studio.hold("**/interpolate?*")
    page = open_view(studio, model, "edit")
    expect(page.get_by_role("region", name="Directions")).to_be_visible()
    expect(page.get_by_role("button", name="Copy as curl")).to_be_hidden()
    first_request().continue_()
    expect(page.get_by_role("button", name="Copy as curl")).to_be_visible()


def test_pointer_on_the_pad_has_one_request_under_way(studio: Studio, model: str) -> None:
    page = open_view(studio, model, "pad")
    pad = page.get_by_role("application", name="Latent pad")
    expect(page.get_by_role("img", name=re.compile("bottom right"))).to_be_visible()
    expect(page.get_by_role("img", name="The picture at this place")).to_have_attribute("src", re.compile("blob:"))
    under_way = [0, 0]

    def count(change: int) -> Callable[[Request], None]:
        def counted(request: Request) -> None:
            if request.method == "POST":
                under_way[0] += change
                under_way[1] = max(under_way)

        return counted

    page.on("request", count(1))
    page.on("requestfinished", count(-1))
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.25, steps=25)
    expect(page.get_by_text("75 % across, 25 % down")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert under_way == [0, 1]
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    expect(page.get_by_text("75 % across, 25 % down")).to_be_visible()


def test_pad_between_two_directions_takes_clicked_samples(studio: Studio, model: str) -> None:
    page = open_view(studio, model, "pad")
    page.get_by_role("button", name="Two directions").click()
    expect(page.get_by_role("img", name=re.compile("^centre: 3.0"))).to_be_visible()
    page.get_by_role("button", name="top", exact=True).click()
    page.get_by_role("group", name="Samples to choose from").get_by_role("button").nth(3).click()
    expect(page.get_by_role("img", name=re.compile(r"^top: 3\.3"))).to_be_visible()
    page.reload()
    expect(page.get_by_role("img", name=re.compile(r"^top: 3\.3"))).to_be_visible()


def find(service: Service, model: str, **body: Any) -> None:
    """Keep directions of the model."""
    assert service.client.post(f"/models/{model}/directions", json=body).status_code == 201


def test_sliders_of_found_directions_move_the_picture_together_and_stay_in_the_address(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    page = open_view(studio, model, "edit&start=1.0:7")
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Closed form").click()
    expect(page.get_by_role("slider", name="form-1")).to_be_focused()
    page.get_by_role("button", name="Principal components").click()
    expect(page.get_by_role("slider", name="component-2")).to_have_count(1)
    before = source_of(page, "The edited picture")
    for _ in range(15):
        page.get_by_role("slider", name="form-1").press("ArrowRight")
    page.get_by_role("slider", name="component-2").fill("-2")
    expect(page.get_by_role("listitem").filter(has_text="form-1")).to_contain_text("1.5")
    expect(page.get_by_role("img", name="The edited picture")).not_to_have_attribute("src", before)
    expect(page).to_have_url(re.compile("moves=form-1%3A1.5%2Ccomponent-2%3A-2"))
    page.wait_for_load_state("networkidle")
    moves = [{"form-1": 1.5, "component-2": -2}]
    body = {"model": model, "samples": ["1.0:7"], "moves": moves, "scale": 16, "format": "png"}
    edited = Image.open(io.BytesIO(service.client.post("/edit", json=body).content))
    assert saved(page, tmp_path).tobytes() == edited.tobytes()
    page.reload()
    expect(page.get_by_role("slider", name="component-2")).to_have_value("-2")
    page.get_by_role("slider", name="form-1").dblclick()
    expect(page).to_have_url(re.compile("moves=component-2%3A-2$"))
    page.get_by_role("button", name="Reset component-2").press("Enter")
    expect(page.get_by_role("slider", name="component-2")).to_be_focused()
    expect(page.get_by_role("slider", name="component-2")).to_have_value("0")
    expect(page.get_by_role("button", name="Reset all")).to_be_hidden()


def test_edit_follows_the_clicked_sample_and_the_room(studio: Studio, model: str) -> None:
    page = open_view(studio, model, "edit")
    original = page.get_by_role("region", name="Edit")
    expect(original).to_contain_text(re.compile(r"3\.0:\d"))
    page.get_by_role("button", name="7", exact=True).click()
    expect(original).to_contain_text("3.0:7")
    page.get_by_role("group", name="Samples to choose from").get_by_role("button").nth(2).click()
    expect(original).to_contain_text("3.2:7")
    expect(page.get_by_role("link", name="Download")).to_have_attribute("download", f"{model}-3.2-7-edited.png")
    page.reload()
    expect(original).to_contain_text("3.2:7")


def test_own_picture_is_searched_then_edited_and_its_file_is_a_term_of_a_sum(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    find(service, model, name="own", kind="closed_form", n=1)
    page = open_view(studio, model, "edit&class=7&moves=own:5")
    expect(page.get_by_role("button", name="Reset all")).to_be_visible()
    page.get_by_label("Steps of the search").fill("40")
    page.get_by_label("Choose a picture").set_input_files(own_picture(service, model, tmp_path))
    expect(page.get_by_text(re.compile(r"The nearest picture is in class 7: [\d.]+ dB\."))).to_be_visible()
    # The progress is hidden again after the search; a fast machine shows it for a moment only.
    expect(page.get_by_text(re.compile(r"step 40 of 40, [\d.]+ dB"))).to_have_count(1)
    expect(page.get_by_role("img", name="Your picture")).to_be_in_viewport()
    expect(page.get_by_role("slider", name="own")).to_have_value("0")
    expect(page.get_by_role("button", name="Reset all")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("moves="))
    expect(page.get_by_role("link", name="Download")).to_have_attribute("download", f"{model}-yours-edited.png")
    found = source_of(page, "The original")
    page.get_by_role("slider", name="own").fill("5")
    page.wait_for_load_state("networkidle")
    edited = saved(page, tmp_path)
    assert edited.size == (256, 256)
    page.get_by_role("button", name="Arithmetic").click()
    expect(page.get_by_role("region", name="Slot C")).to_be_visible()
    page.get_by_label("Picture for A").set_input_files(tmp_path / "latent.png")
    expect(page.get_by_role("img", name="A 1: a result")).to_be_visible()
    page.get_by_role("button", name="Edit", exact=True).click()
    assert source_of(page, "The original") == found, "a tool keeps its work while another one is open"
    expect(page.get_by_role("slider", name="own")).to_have_value("5")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "latent.png")
    expect(page.get_by_role("region", name="Edit")).to_contain_text("read from its file")
    assert source_of(page, "The original") != found


def own_picture(service: Service, model: str, folder: Path) -> Path:
    """Return a file with a seven and without the settings that Forger writes."""
    seven = service.client.get(f"/sample?model={model}&class=7&seed=9").content
    Image.open(io.BytesIO(seven)).convert("RGB").save(folder / "own.bmp")
    return folder / "own.bmp"


def test_search_is_cancelled_and_a_file_that_is_no_picture_refused(
    studio: Studio, service: Service, model: str, tmp_path: Path
) -> None:
    studio.expected = ("415", "422")
    page = open_view(studio, model, "edit")
    panel = page.get_by_role("region", name="From a picture")
    page.get_by_label("Steps of the search").fill("1000")
    page.get_by_label("Choose a picture").set_input_files(own_picture(service, model, tmp_path))
    expect(panel.get_by_text(re.compile(r"step \d+ of 1000, "))).to_be_visible()
    panel.get_by_role("button", name="Cancel").press("Enter")
    expect(panel.get_by_role("status")).to_have_text("The search was cancelled.")
    expect(panel.get_by_role("button", name="Search again")).to_be_focused()
    expect(page.get_by_role("img", name="Your picture")).to_be_hidden()
    (tmp_path / "notes.png").write_text("no picture")
    page.get_by_label("Choose a picture").set_input_files(tmp_path / "notes.png")
    expect(panel.get_by_role("alert")).to_contain_text("not a picture of a supported format")


def test_direction_leads_from_pictures_to_pictures_until_it_is_deleted(
    studio: Studio, service: Service, model: str
) -> None:
    studio.expected = ("409",)
    page = open_view(studio, model, "edit")
    target = page.get_by_role("region", name="Edit").get_by_role("button", name="Clicks go here")
    expect(target).to_be_hidden()
    page.get_by_text("From two groups of samples").click()
    expect(target).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="From A to B").click()
    expect(page.get_by_role("region", name="Directions").get_by_role("alert").last).to_contain_text("into A and one")
    tray = page.get_by_role("group", name="Samples to choose from").get_by_role("button")
    for letter, at in (("A", 0), ("B", 1)):
        page.get_by_role("region", name=f"Slot {letter}").get_by_role("button", name="Clicks go here").click()
        tray.nth(at).click()
        expect(page.get_by_role("img", name=f"{letter} 1: 3.{at}")).to_be_visible()
    expect(target).to_have_attribute("aria-pressed", "false")
    page.get_by_label("Name", exact=True).fill("lean")
    page.get_by_role("button", name="From A to B").click()
    expect(page.get_by_role("slider", name="lean")).to_be_focused()
    page.get_by_text("From two groups of samples").click()
    expect(target).to_be_hidden()
    tray.nth(2).click()
    expect(page.get_by_role("region", name="Edit")).to_contain_text("3.2:")
    page.get_by_text("From two groups of samples").click()
    page.get_by_label("Name", exact=True).fill("lean")
    page.get_by_role("button", name="From A to B").click()
    expect(page.get_by_role("region", name="Directions").get_by_role("alert").last).to_contain_text("'lean' already")
    page.get_by_role("button", name="Delete lean").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("slider", name="lean")).to_have_count(0)
    kept = service.client.get(f"/models/{model}/directions").json()["data"]
    assert "lean" not in [one["name"] for one in kept]


def test_phone_shows_every_slider_whole(studio: Studio, service: Service, model: str) -> None:
    find(service, model, name="many", kind="closed_form", n=12)
    studio.page.set_viewport_size({"width": 390, "height": 844})
    page = open_view(studio, model, "edit")
    expect(page.get_by_role("slider", name="many-12")).to_be_visible()
    assert page.get_by_role("list", name="Directions").evaluate("list => list.scrollHeight <= list.clientHeight")


def test_edit_is_copied_as_a_request_that_draws_it(
    open_studio: Callable[..., Studio], service: Service, model: str
) -> None:
    find(service, model, name="copied", kind="closed_form", n=1)
    studio = open_studio(service.url, permissions=["clipboard-read", "clipboard-write"])
    page = open_view(studio, model, "edit&start=1.0:7&moves=copied:3,gone:2,copied-9:1")
    for words, parts in (
        ("curl", ("/edit", f'"model":"{model}","samples":["1.0:7"],"moves":[{{"copied":3}}]')),
        ("Python", (f'edited_sheet([{{"copied": 3}}], model="{model}", samples=["1.0:7"])',)),
    ):
        page.get_by_role("button", name=f"Copy as {words}").click()
        expect(page.get_by_text(f"The {words} is in the clipboard.")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert all(part in copied for part in parts), copied


def test_truncation_is_kept_in_the_address_and_in_the_request(studio: Studio, model: str) -> None:
    page = studio.goto(f"sample?model={model}&n=4&seed=3")
    page.get_by_label("Truncation").fill("0.5")
    expect(page.locator("main img.sheet").first).to_have_attribute("src", re.compile(r"truncation=0\.5"))
    page.reload()
    expect(page.get_by_label("Truncation")).to_have_value("0.5")


def test_model_of_points_has_no_latent_tools(studio: Studio, service: Service, model: str) -> None:
    body = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 5}, "model": "points"}
    service.wait_for(service.client.post("/jobs", json=body).json()["id"], "succeeded")
    page = studio.goto("sample?model=points@1&view=pad")
    expect(page.get_by_role("button", name="Pictures", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Latent pad")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_latent_tools_have_no_serious_barrier_and_fit_a_phone(
    service: Service, open_studio: Callable[..., Studio], model: str, scheme: str
) -> None:
    studio = open_studio(service.url, color_scheme=scheme)
    if scheme == "light":
        find(service, model, name="axe", kind="principal", n=2)
    for view in VIEWS:
        studio.page.set_viewport_size({"width": 1280, "height": 800})
        page = open_view(studio, model, view)
        page.wait_for_load_state("networkidle")
        found = [one for one in Axe().run(page).response["violations"] if one["impact"] in {"serious", "critical"}]
        assert not found, (view, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found])
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, view
