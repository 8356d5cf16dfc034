"""The files of the studio: open, revalidated, under a strict policy, and with the links of their prefix."""

import hashlib
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.api.studio import PAGES, WEB
from app.core.settings import get_settings
from app.main import create_app

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
UPLOT_SHA256 = "2d27e8ad3d228164525ce213f9dc716f39b4e3aee0cc773fb3491c96cf4921a2"
"""uPlot 1.6.31's uplot.iife.min.js, as its authors released it"""


@pytest.fixture(scope="module")
def backend() -> str:
    """These tests do not depend on the database."""
    return "sqlite"


@pytest.fixture
def client(api_home: Path) -> TestClient:
    settings = get_settings().model_copy(update={"api_key": SecretStr("a key")})
    return TestClient(create_app(settings), base_url="http://127.0.0.1:8000", follow_redirects=False)


def test_root_sends_a_browser_to_the_studio_and_answers_json_to_programs(client: TestClient) -> None:
    reply = client.get("/", headers=BROWSER)
    assert (reply.status_code, reply.headers["location"]) == (307, "/studio/jobs")
    key = {"authorization": "Bearer a key"}
    assert client.get("/", headers=key).json()["name"] == "forger"
    assert client.get("/", headers=key | {"accept": "application/json, text/html"}).json()["name"] == "forger"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_a_document_without_inline_script_or_style(client: TestClient, page: str) -> None:
    reply = client.get(f"/studio/{page.format(job_id='job_1', experiment_id='exp_1', name='faces')}?step=3")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<base href="/studio/">' in reply.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", reply.text)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["referrer-policy"] == "same-origin"


def test_every_file_is_revalidated(client: TestClient) -> None:
    for file in WEB.rglob("*.*"):
        reply = client.get(f"/studio/{file.relative_to(WEB)}")
        assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-cache"), file
        again = client.get(f"/studio/{file.relative_to(WEB)}", headers={"if-none-match": reply.headers["etag"]})
        assert again.status_code == 304, file


def test_uplot_is_the_file_that_its_authors_released(client: TestClient) -> None:
    assert hashlib.sha256(client.get("/studio/lib/uplot.js").content).hexdigest() == UPLOT_SHA256


@pytest.mark.parametrize("path", ["nothing.js", "%2e%2e/main.py", "..%2fmain.py", "lib/other.js", "jobs/a/b"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    reply = client.get(f"/studio/{path}")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


def test_reference_reads_the_openapi_document(client: TestClient) -> None:
    assert '<script type="module" src="reference.js">' in client.get("/docs").text
    assert "SwaggerUIBundle" in client.get("/studio/lib/swagger-ui.js").text


def test_links_hold_the_prefix_of_a_proxy(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_ROOT_PATH", "/lab/forger")
    get_settings.cache_clear()
    try:
        behind = TestClient(create_app(get_settings()), base_url="http://127.0.0.1:8000", follow_redirects=False)
        assert '<base href="/lab/forger/studio/">' in behind.get("/lab/forger/studio/jobs").text
        assert behind.get("/lab/forger/", headers=BROWSER).headers["location"] == "/lab/forger/studio/jobs"
    finally:
        get_settings.cache_clear()


def test_picture_of_a_family_is_served_and_a_missing_one_is_empty(client: TestClient) -> None:
    reply = client.get("/studio/families/gan.png")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/png")
    for name in ("nothing", "..%2Fcosts", "..%2F..%2Findex"):
        assert client.get(f"/studio/families/{name}.png").status_code in (204, 404), name
