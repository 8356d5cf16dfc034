"""Which service a client speaks to, and what it says when there is none."""

import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from forger import Forger, ForgerProblem, Unreachable
from tests.conftest import StartService
from tests.support.service import Service


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGER_URL", "FORGER_API_KEY", "FORGER_HOST", "FORGER_PORT", "FORGER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("forger.address.CHECKOUT", tmp_path)  # the usual home lies in it


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


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, signed by itself; the key stands in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("Certificates were not tried: openssl is not installed")
    pem = tmp_path_factory.mktemp("tls") / "cert.pem"
    asked = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    asked += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([openssl, *asked, "-keyout", pem, "-out", f"{pem}.own"], check=True, capture_output=True)
    pem.write_bytes(pem.read_bytes() + Path(f"{pem}.own").read_bytes())
    return pem


@pytest.fixture
def secure(certificate: Path) -> Iterator[int]:
    """The port of a server that speaks TLS and lists no model."""

    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"data": []}')

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), Models) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_certificate_that_nobody_signed_is_told_as_such(
    secure: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # nothing answers there, and nobody asks
    url = f"https://localhost:{secure}"
    with Forger(url) as forger, pytest.raises(Unreachable, match=r"certificate.*set SSL_CERT_FILE to a PEM file"):
        forger.models()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Forger(url) as forger:
        assert forger.models() == []
    with Forger(f"https://127.0.0.1:{secure}") as forger, pytest.raises(Unreachable, match="name it was made for"):
        forger.models()
    with Forger(f"http://localhost:{secure}") as forger, pytest.raises(Unreachable):
        forger.models()


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(Unreachable, match="SSL_CERT_FILE"):
        Forger("https://localhost:4")
    with Forger("http://localhost:4") as forger, pytest.raises(Unreachable, match="No Forger answers"):
        forger.models()


def test_tls_where_there_is_none_is_told(stranger: str) -> None:
    with (
        Forger(stranger.replace("http:", "https:")) as forger,
        pytest.raises(Unreachable, match=r"begins with http:// where there is no TLS"),
    ):
        forger.models()


def test_without_anything_it_is_the_usual_port() -> None:
    assert url_of() == "http://127.0.0.1:8000"


def test_the_service_of_the_home_is_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    with Forger() as forger:
        assert forger.url == service.url
        assert list(forger.jobs()) == []


def serves(home: Path, url: str, pid: int | None = None) -> None:
    home.mkdir(exist_ok=True)
    (home / "service.json").write_text(json.dumps({"url": url, "pid": pid or os.getpid()}))


def test_a_file_left_by_a_service_that_was_killed_is_not_believed(tmp_path: Path) -> None:
    gone = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(gone, 0)
    serves(tmp_path / "var", "http://127.0.0.1:4", gone)
    assert url_of() == "http://127.0.0.1:8000"
    (tmp_path / "var" / "service.json").write_text("{")
    assert url_of() == "http://127.0.0.1:8000"
    serves(tmp_path / "var", "http://127.0.0.1:4")
    assert url_of() == "http://127.0.0.1:4"


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"PORT": "9000"}, "http://127.0.0.1:9000"),
        ({"HOST": "0.0.0.0"}, "http://127.0.0.1:8000"),
        ({"HOST": "::", "PORT": "9000"}, "http://[::1]:9000"),
        ({"HOST": "10.0.0.7", "PORT": "9000", "HOME": "a"}, "http://10.0.0.7:9000"),
        ({"PORT": "0"}, "http://127.0.0.1:8000"),
    ],
)
def test_what_is_set_is_what_is_asked(
    settings: dict[str, str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"FORGER_{name}", value)
    assert url_of() == url


@pytest.mark.parametrize("port", ["x", "-1", "65536", "8000.0"])
def test_a_port_that_is_none_is_a_sentence(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", port)
    with pytest.raises(Unreachable, match=f"'FORGER_PORT' is '{port}': write a whole number from 0 to 65535"):
        Forger()


def test_without_a_checkout_a_home_lies_in_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client alone has no usual home."""
    serves(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setattr("forger.address.CHECKOUT", None)
    monkeypatch.chdir(tmp_path)
    assert url_of() == "http://127.0.0.1:8000"
    monkeypatch.setenv("FORGER_HOME", "var")
    assert url_of() == "http://127.0.0.1:4"


@pytest.mark.parametrize("port", [None, "0"])
def test_a_home_that_is_set_and_not_served_is_a_sentence(
    port: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Port 8000, and what runs from the usual home, are a stranger's."""
    serves(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "other"))
    if port is not None:
        monkeypatch.setenv("FORGER_PORT", port)
    with pytest.raises(Unreachable, match=f"No Forger runs from FORGER_HOME={tmp_path}/other: start one"):
        Forger()


def test_a_port_that_is_set_is_not_left_for_the_usual_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serves(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setenv("FORGER_PORT", "5")
    assert url_of() == "http://127.0.0.1:5"
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "var"))
    with pytest.raises(Unreachable, match=r"served at http://127\.0\.0\.1:4, and FORGER_PORT is 5: unset one"):
        Forger()
    monkeypatch.setenv("FORGER_PORT", "4")
    assert url_of() == "http://127.0.0.1:4"


def test_the_sentence_says_which_service_was_asked_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", "1")
    with Forger() as forger, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 \(FORGER_PORT\)"):
        forger.models()
    monkeypatch.setenv("FORGER_URL", "http://127.0.0.1:2")
    with Forger() as forger, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:2 \(FORGER_URL\)"):
        forger.models()


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
    sentence = r"No Forger answers at http://127\.0\.0\.1:1 \(the address in the argument\): start one with"
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
    assert (refused.value.status, refused.value.code) == (401, "key_wrong")
    assert "FORGER_API_KEY" in refused.value.detail
