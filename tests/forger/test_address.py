"""The address of the service that a client connects to, and the messages when it cannot connect."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from forger import Forger, ForgerProblem, Unreachable
from tests.conftest import StartService
from tests.support.other_servers import html_server, self_signed_certificate, tls_server
from tests.support.service import Service


@pytest.fixture(autouse=True)
def no_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORGER_URL", "FORGER_API_KEY", "FORGER_HOST", "FORGER_PORT", "FORGER_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("forger.address.CHECKOUT", tmp_path)  # the default home is inside it


def url_of(*arguments: str) -> str:
    with Forger(*arguments) as forger:
        return forger.url


@pytest.fixture
def foreign_server() -> Iterator[str]:
    with html_server() as url:
        yield url


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    with tls_server(certificate) as port:
        yield port


def test_untrusted_certificate_is_reported_with_its_remedy(
    tls_port: int, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # nothing answers there, and it must not be used
    url = f"https://localhost:{tls_port}"
    with Forger(url) as forger, pytest.raises(Unreachable, match=r"certificate.*set SSL_CERT_FILE to a PEM file"):
        forger.models()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Forger(url) as forger:
        assert forger.models() == []
    with Forger(f"https://127.0.0.1:{tls_port}") as forger, pytest.raises(Unreachable, match="name it was made for"):
        forger.models()
    with Forger(f"http://localhost:{tls_port}") as forger, pytest.raises(Unreachable):
        forger.models()


def test_unreadable_certificate_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(Unreachable, match="SSL_CERT_FILE"):
        Forger("https://localhost:4")
    with Forger("http://localhost:4") as forger, pytest.raises(Unreachable, match="No Forger answers"):
        forger.models()


def test_https_url_of_an_http_server_is_reported(foreign_server: str) -> None:
    with (
        Forger(foreign_server.replace("http:", "https:")) as forger,
        pytest.raises(Unreachable, match=r"begins with http:// where there is no TLS"),
    ):
        forger.models()


def test_default_address_is_port_8000_on_loopback() -> None:
    assert url_of() == "http://127.0.0.1:8000"


def test_service_of_the_home_is_found(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    with Forger() as forger:
        assert forger.url == service.url
        assert list(forger.jobs()) == []


def write_service_file(home: Path, url: str, pid: int | None = None) -> None:
    home.mkdir(exist_ok=True)
    (home / "service.json").write_text(json.dumps({"url": url, "pid": pid or os.getpid()}))


def test_service_file_of_a_dead_process_is_ignored(tmp_path: Path) -> None:
    dead_pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(dead_pid, 0)
    write_service_file(tmp_path / "var", "http://127.0.0.1:4", dead_pid)
    assert url_of() == "http://127.0.0.1:8000"
    (tmp_path / "var" / "service.json").write_text("{")
    assert url_of() == "http://127.0.0.1:8000"
    write_service_file(tmp_path / "var", "http://127.0.0.1:4")
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
def test_host_and_port_settings_give_the_address(
    settings: dict[str, str], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"FORGER_{name}", value)
    assert url_of() == url


@pytest.mark.parametrize("port", ["x", "-1", "65536", "8000.0"])
def test_invalid_port_raises_unreachable(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", port)
    with pytest.raises(Unreachable, match=f"'FORGER_PORT' is '{port}': write a whole number from 0 to 65535"):
        Forger()


def test_without_a_checkout_only_a_set_home_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client installed by itself has no default home."""
    write_service_file(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setattr("forger.address.CHECKOUT", None)
    monkeypatch.chdir(tmp_path)
    assert url_of() == "http://127.0.0.1:8000"
    monkeypatch.setenv("FORGER_HOME", "var")
    assert url_of() == "http://127.0.0.1:4"


@pytest.mark.parametrize("port", [None, "0"])
def test_home_without_a_running_service_raises_unreachable(
    port: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service on port 8000 and that of the default home may be somebody else's, so neither is used."""
    write_service_file(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "other"))
    if port is not None:
        monkeypatch.setenv("FORGER_PORT", port)
    with pytest.raises(Unreachable, match=f"No Forger runs from FORGER_HOME={tmp_path}/other: start one"):
        Forger()


def test_set_port_takes_precedence_over_the_default_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_service_file(tmp_path / "var", "http://127.0.0.1:4")
    monkeypatch.setenv("FORGER_PORT", "5")
    assert url_of() == "http://127.0.0.1:5"
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "var"))
    with pytest.raises(Unreachable, match=r"served at http://127\.0\.0\.1:4, and FORGER_PORT is 5: unset one"):
        Forger()
    monkeypatch.setenv("FORGER_PORT", "4")
    assert url_of() == "http://127.0.0.1:4"


def test_message_names_the_address_and_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", "1")
    with Forger() as forger, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 \(FORGER_PORT\)"):
        forger.models()
    monkeypatch.setenv("FORGER_URL", "http://127.0.0.1:2")
    with Forger() as forger, pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:2 \(FORGER_URL\)"):
        forger.models()


def test_message_names_the_home_too_if_no_service_runs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGER_PORT", "1")
    monkeypatch.setenv("FORGER_HOME", str(tmp_path / "other"))
    sentence = rf"http://127\.0\.0\.1:1 \(FORGER_PORT; none runs from FORGER_HOME={tmp_path}/other\): start one"
    with Forger() as forger, pytest.raises(Unreachable, match=sentence):
        forger.models()


def test_argument_precedes_forger_url_which_precedes_the_home(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    monkeypatch.setenv("FORGER_URL", "http://elsewhere:1/")
    assert url_of() == "http://elsewhere:1"
    assert url_of("https://there") == "https://there"


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://localhost", "http://", "forger", "http://[::1", "http://h:99999"]
)
def test_invalid_url_raises_unreachable(url: str) -> None:
    with pytest.raises(Unreachable, match=r"write it like http://127\.0\.0\.1:8000"):
        Forger(url)


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
def test_key_that_fits_no_header_raises_unreachable(key: str) -> None:
    with pytest.raises(Unreachable, match="printable ASCII"):
        Forger(key=key)


def test_no_answer_raises_unreachable_with_a_remedy() -> None:
    sentence = r"No Forger answers at http://127\.0\.0\.1:1 \(the address in the argument\): start one with"
    with Forger("http://127.0.0.1:1") as forger, pytest.raises(Unreachable, match=sentence):
        forger.models()


def test_server_of_another_program_is_recognised(foreign_server: str) -> None:
    with Forger(foreign_server) as forger:
        with pytest.raises(Unreachable, match="no Forger"):
            forger.models()
        with pytest.raises(Unreachable, match="no Forger"):
            forger.model("lost")


def test_key_is_sent_and_a_wrong_key_is_refused(start_service: StartService, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start_service(FORGER_API_KEY="correct horse")
    with Forger(service.url, key="correct horse") as forger:
        assert list(forger.jobs()) == []
    monkeypatch.setenv("FORGER_API_KEY", "correct horse")
    with Forger(service.url) as forger:
        assert list(forger.jobs()) == []
    with Forger(service.url, key="battery staple") as forger, pytest.raises(ForgerProblem) as refused:
        list(forger.jobs())
    assert (refused.value.status, refused.value.code) == (401, "key_wrong")
    assert "FORGER_API_KEY" in refused.value.detail
