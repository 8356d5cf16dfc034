"""A real Chromium on a real service. A page fails its test by what it should never do: see `Studio.check`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect, sync_playwright

from tests.support.chromium import FLAGS, find_chromium
from tests.support.service import Service

PATIENCE_MS = 180_000
LOOPBACK = {"127.0.0.1", "localhost"}
expect.set_options(timeout=PATIENCE_MS)


@dataclass
class Studio:
    """One page of the studio, and what it did that no page of the studio may do."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """parts of console messages that the test provokes"""

    def goto(self, path: str) -> Page:
        self.page.goto(f"{self.url}/studio/{path}")
        return self.page

    def hold(self, url: str) -> Callable[[], Route]:
        """Hold back the next request for `url`. Return a function that waits for it and returns its route."""
        held: list[Route] = []
        self.page.route(url, lambda route: held.append(route), times=1)

        def arrived() -> Route:
            for _ in range(PATIENCE_MS // 50):
                if held:
                    return held[0]
                self.page.wait_for_timeout(50)
            raise AssertionError(f"The page never asked for {url}.")

        return arrived

    def check(self) -> None:
        """Fail on a console error (a violation of the CSP is one), an exception, or a request beyond loopback."""
        faults = [fault for fault in self.faults if not any(part in fault for part in self.expected)]
        assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.skip("No Chromium is installed here: install it to test the studio (on Debian: apt install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_studio(browser: Browser) -> Iterator[Callable[..., Studio]]:
    """Open a page on a service, in a browser profile of its own; every page is checked when the test ends."""
    opened: list[tuple[BrowserContext, Studio]] = []

    def start(url: str, context: BrowserContext | None = None, **options: Any) -> Studio:
        context = context or browser.new_context(viewport={"width": 1280, "height": 800}, **options)
        context.set_default_timeout(PATIENCE_MS)
        studio = Studio(context.new_page(), url)
        watch(studio)
        opened.append((context, studio))
        return studio

    yield start
    for _, studio in opened:
        studio.check()
    for context, _ in opened:
        context.close()


def watch(studio: Studio) -> None:
    def requested(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.hostname not in LOOPBACK:
            studio.faults.append(f"asked beyond loopback: {request.url}")

    studio.page.on("request", requested)
    studio.page.on("pageerror", lambda error: studio.faults.append(f"exception: {error.message}\n{error.stack}"))
    studio.page.on(
        "console",
        lambda message: (
            studio.faults.append(f"console: {message.text} {message.location.get('url')}")
            if message.type in {"error", "warning"}
            else None
        ),
    )


@pytest.fixture
def studio(service: Service, open_studio: Callable[..., Studio]) -> Studio:
    """A page on the file's service."""
    return open_studio(service.url)
