"""Take the screenshots of the studio that the documentation shows.

    python -m bench.pictures        (make pictures)

A service of its own trains a few small jobs, and Chromium opens its rooms: light and dark, desktop and phone. Beside
the pictures stands the hash of the page's files, which a test compares with the files as they are.
"""

import hashlib
import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from app.api.studio import WEB
from forger import Forger
from tests.support.chromium import FLAGS, find_chromium
from tests.support.service import Service

FOLDER = Path(__file__).parents[1] / "docs/pictures/studio"
SOURCES = FOLDER / "sources.sha256"
DESKTOP, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
JOBS: tuple[dict[str, Any], ...] = (
    {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 1500}},
    {"recipe": "wgan_gp", "dataset": "ring8", "budget": {"steps": 1500}},
    {"recipe": "gan", "dataset": "gaussian1d", "budget": {"steps": 1000}},
    {"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 600}},
    {"recipe": "cyclegan", "dataset": "day2night", "budget": {"steps": 400}, "overrides": {"watch": None}},
)
AUGMENTATION: dict[str, Any] = {
    "recipe": "cdcgan",
    "budget": {"steps": 600},
    "per_class": 50,
    "seeds": 3,
    "classifier_steps": 200,
}
UNENDING: dict[str, Any] = {"recipe": "r3gan", "dataset": "ring8", "budget": {"steps": 100_000}}
"""a job that trains while the pictures are taken"""
EXPERIMENT: dict[str, Any] = {
    "recipe": "gan",
    "dataset": "ring8",
    "name": "packing",
    "budget": {"steps": 600},
    "seeds": 3,
    "cases": [{"name": "plain"}, {"name": "packed", "overrides": {"game": {"packing": 2}}}],
}
SETTLED_MS = 2500


@dataclass(frozen=True)
class Shot:
    """A picture to take: `path` may name the job of a family and dataset, as in {gan-ring8}."""

    name: str
    path: str
    size: dict[str, int]
    dark: bool = False
    scroll_to: str | None = None
    click: str | None = None


SHOTS = (
    Shot("jobs", "jobs", DESKTOP),
    Shot("jobs-dark", "jobs", DESKTOP, dark=True),
    Shot("jobs-phone", "jobs", PHONE),
    Shot("job", "jobs/{cdcgan-digits}", DESKTOP),
    Shot("job-curves-dark", "jobs/{cdcgan-digits}", DESKTOP, dark=True, scroll_to="Curves"),
    Shot("job-phone", "jobs/{cdcgan-digits}", PHONE),
    Shot("lab", "jobs/{gan-ring8}", DESKTOP, scroll_to="Inside the game"),
    Shot("lab-dark", "jobs/{gan-ring8}", DESKTOP, dark=True, scroll_to="Inside the game"),
    Shot("line", "jobs/{gan-gaussian1d}", DESKTOP, scroll_to="Inside the game"),
    Shot("new", "new?family=cdcgan", DESKTOP),
    Shot("new-phone", "new?family=cdcgan", PHONE),
    Shot("sample", "sample?model=cdcgan-digits&view=grid&seed=1", DESKTOP),
    Shot("interpolate", "sample?model=cdcgan-digits&view=interpolate&n=8&way=1:3,2:7,3:0&frames=24", DESKTOP),
    Shot("arithmetic", "sample?model=cdcgan-digits&view=arithmetic&n=8&a=1:7,2:7&b=3:1,4:1&c=5:4", DESKTOP),
    Shot(
        "edit",
        "sample?model=cdcgan-digits&view=edit&n=8&start=1.3:7&moves=component-1:3,component-2:-2",
        DESKTOP,
        scroll_to="Original and edited",
    ),
    Shot("sample-phone", "sample?model=cdcgan-digits&class=7&seed=1", PHONE),
    Shot("compare", "compare?jobs={gan-ring8},{wgan_gp-ring8}", DESKTOP, scroll_to="Curves"),
    Shot("experiment", "experiments/{experiment}", DESKTOP),
    Shot("translate", "translate?back=1", DESKTOP, click=".examples button"),
    Shot("spot", "spot?model=cdcgan-digits@1&n=10&seed=3", DESKTOP, click="form button.main"),
    Shot("lectures", "lectures", DESKTOP),
    Shot("exercises", "lectures?view=exercises", DESKTOP),
    Shot("models", "models", DESKTOP),
    Shot("datasets", "datasets/digits?class=3", DESKTOP),
    Shot("augmentation", "jobs/{augmentation}", DESKTOP, scroll_to="Do the generated pictures help?"),
    Shot("system", "system", DESKTOP),
)


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as driver:
        service = Service(Path(home)).start()
        try:
            forger = Forger(service.url)
            jobs = [forger.train(**body) for body in JOBS]
            for job in jobs:
                job.wait()
            forger.find_directions("cdcgan-digits@1", "component", "principal", n=5)
            augmentation = forger.augment("digits", **AUGMENTATION).wait()
            experiment = forger.start_experiment(EXPERIMENT).wait()
            jobs.append(forger.train(**UNENDING))
            ids = {"experiment": experiment.id, "augmentation": augmentation.id} | {
                f"{job.reply.family}-{job.reply.dataset}": job.id for job in jobs
            }
            browser = driver.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
            for shot in SHOTS:
                take(browser, service.url, shot, ids)
            browser.close()
            jobs[-1].cancel()
        finally:
            service.stop()
    SOURCES.write_text(hash_of_sources() + "\n")


def take(browser: Browser, url: str, shot: Shot, ids: dict[str, str]) -> None:
    """Open the page, wait until it has settled, and save what is in view."""
    page = browser.new_context(viewport=shot.size, color_scheme="dark" if shot.dark else "light").new_page()  # type: ignore[arg-type]
    page.goto(f"{url}/studio/{shot.path.format_map(ids)}")
    page.wait_for_timeout(SETTLED_MS)
    if shot.click is not None:
        page.locator(shot.click).first.click()
        page.wait_for_timeout(SETTLED_MS)
    if shot.scroll_to is not None:
        page.get_by_role("heading", name=shot.scroll_to, exact=True).evaluate("heading => heading.scrollIntoView()")
        page.wait_for_timeout(SETTLED_MS)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(FOLDER / f"{shot.name}.png", optimize=True)
    page.context.close()


def hash_of_sources() -> str:
    """Return the sha256 of the names and contents of the page's files."""
    digest = hashlib.sha256()
    for file in sorted(path for path in WEB.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(WEB)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
