"""Which service a client speaks to, and what it says when there is none."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.client import Forger, ForgerProblem, Unreachable
from tests.conftest import StartService
from tests.support.service import Service


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGER_URL", "FORGER_API_KEY", "FORGER_HOST", "FORGER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORGER_HOME", str(tmp_path))


def url_of(*given: str) -> str:
    with Forger(*given) as forger:
        return forger.url


@pytest.fixture
def stranger() -> Iterator[str]:
    """Another program's server."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if "lost" in self.path else 200)
            self.end_headers()
            self.wfile.write(b"<html>Hello</html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_without_anything_it_is_the_usual_port() -> None:
    assert url_of() == "http://127.0.0.1:8000"


def test_the_service_of_the_home_is_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    with Forger() as forger:
        assert forger.url == service.url
        assert list(forger.jobs()) == []


def test_a_file_left_by_a_service_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    (tmp_path / "service.json").write_text(json.dumps({"url": "http://127.0.0.1:4", "pid": gone}))
    assert url_of() == "http://127.0.0.1:8000"
    (tmp_path / "service.json").write_text("{")
    assert url_of() == "http://127.0.0.1:8000"


def test_forger_url_wins_over_the_home_and_an_argument_over_both(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    monkeypatch.setenv("FORGER_URL", "http://elsewhere:1/")
    assert url_of() == "http://elsewhere:1"
    assert url_of("https://there") == "https://there"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://", "forger", "http://[::1", "http://h:99999"]
)
def test_an_address_that_is_none_is_a_sentence(url: str) -> None:
    with pytest.raises(Unreachable, match=r"write it like http://127\.0\.0\.1:8000"):
        Forger(url)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_a_key_that_no_header_carries_is_a_sentence(key: str) -> None:
    with pytest.raises(Unreachable, match="printable ASCII"):
        Forger(key=key)


def test_nobody_there_is_a_sentence_that_says_what_to_do() -> None:
    sentence = r"No Forger answers at http://127\.0\.0\.1:1: start one with `forger serve`"
    with Forger("http://127.0.0.1:1") as forger, pytest.raises(Unreachable, match=sentence):
        forger.models()


def test_a_server_that_is_no_forger_is_told_apart(stranger: str) -> None:
    with Forger(stranger) as forger:
        with pytest.raises(Unreachable, match="no Forger"):
            forger.models()
        with pytest.raises(Unreachable, match="no Forger"):
            forger.model("lost")


def test_a_key_is_sent_and_a_wrong_one_refused(start_service: StartService, monkeypatch: pytest.MonkeyPatch) -> None:
    guarded = start_service(FORGER_API_KEY="correct horse")
    with Forger(guarded.url, key="correct horse") as forger:
        assert list(forger.jobs()) == []
    monkeypatch.setenv("FORGER_API_KEY", "correct horse")
    with Forger(guarded.url) as forger:
        assert list(forger.jobs()) == []
    with Forger(guarded.url, key="battery staple") as forger, pytest.raises(ForgerProblem) as refused:
        list(forger.jobs())
    assert refused.value.status == 401
    assert "FORGER_API_KEY" in refused.value.detail
