"""A browser exchanges the key for a cookie, and only this service's own pages may change things with it."""

from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from itsdangerous import TimestampSigner
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.api import sessions
from app.core.settings import get_settings
from app.main import create_app

HOST = "http://127.0.0.1:8000"
KEY = "correct horse battery staple"
OWN_PAGE = {"origin": HOST}


@pytest.fixture(scope="module")
def backend() -> str:
    """These tests do not depend on the database."""
    return "sqlite"


def keyed_client(key: str = KEY, base_url: str = HOST) -> TestClient:
    settings = get_settings().model_copy(update={"api_key": SecretStr(key), "hosts": None})
    return TestClient(create_app(settings), base_url=base_url, follow_redirects=False)


@pytest.fixture
def client(api_home: Path) -> TestClient:
    return keyed_client()


@pytest.fixture
def signed_in(client: TestClient) -> TestClient:
    assert client.post("/session", json={"key": KEY}).status_code == 204
    return client


def test_key_gives_a_cookie_that_scripts_and_other_sites_cannot_use(client: TestClient) -> None:
    assert client.get("/session").json() == {"key_required": True, "signed_in": False, "link": None}
    reply = client.post("/session", json={"key": KEY})
    (cookie,) = SimpleCookie(reply.headers["set-cookie"]).values()
    assert cookie.key == sessions.COOKIE
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
    assert KEY not in reply.headers["set-cookie"]
    assert client.get("/session").json() == {"key_required": True, "signed_in": True, "link": None}
    assert client.get("/version").status_code == 200


def test_cookie_is_secure_behind_tls(api_home: Path) -> None:
    reply = keyed_client(base_url="https://127.0.0.1:8000").post("/session", json={"key": KEY})
    assert "; Secure" in reply.headers["set-cookie"]


def test_wrong_key_starts_no_session(client: TestClient) -> None:
    reply = client.post("/session", json={"key": KEY + "!"})
    assert (reply.status_code, reply.json()["code"]) == (401, "key_wrong")
    assert "set-cookie" not in reply.headers
    assert client.get("/version").status_code == 401


def test_delete_ends_the_session_of_the_browser(signed_in: TestClient) -> None:
    assert signed_in.delete("/session", headers=OWN_PAGE).status_code == 204
    assert signed_in.get("/version").status_code == 401


FORGED = {
    "empty": "",
    "unsigned": "1",
    "wrong signature": "1.x.y",
    "another key": TimestampSigner("another key", salt="forger session").sign("1").decode(),
    "quote": '"',
    "no cookie syntax": "\\073;;=",
    "not ASCII": "é",
}


@pytest.mark.parametrize("value", FORGED.values(), ids=FORGED.keys())
def test_forged_cookie_is_no_session(client: TestClient, value: str) -> None:
    reply = client.get("/version", headers={b"cookie": f"{sessions.COOKIE}={value}".encode()})
    assert (reply.status_code, reply.json()["code"]) == (401, "key_missing")


def test_session_ends_when_it_is_old(signed_in: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_AGE_S", -1)
    assert signed_in.get("/version").status_code == 401


def test_session_ends_when_the_key_changes(signed_in: TestClient) -> None:
    other = keyed_client("another key of the same service")
    other.cookies = signed_in.cookies
    assert other.get("/version").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": HOST, "sec-fetch-site": "cross-site"},
    ],
)
def test_session_changes_nothing_for_another_origin(signed_in: TestClient, headers: dict[str, str]) -> None:
    reply = signed_in.post("/jobs", json={"recipe": "gan", "dataset": "ring8"}, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (403, "foreign_origin")
    assert keyed_client().get("/jobs", headers={"authorization": f"Bearer {KEY}"}).json()["data"] == []


def test_session_may_change_things_from_the_services_own_page(signed_in: TestClient) -> None:
    reply = signed_in.delete("/jobs/job_1", headers=OWN_PAGE)
    assert (reply.status_code, reply.json()["code"]) == (404, "job_not_found")


def test_program_with_the_key_needs_no_origin(client: TestClient) -> None:
    reply = client.delete("/jobs/job_1", headers={"authorization": f"Bearer {KEY}"})
    assert (reply.status_code, reply.json()["code"]) == (404, "job_not_found")


def test_foreign_page_cannot_sign_a_browser_in(client: TestClient) -> None:
    reply = client.post("/session", json={"key": KEY}, headers={"origin": "https://evil.example"})
    assert (reply.status_code, reply.json()["code"]) == (403, "foreign_origin")


def test_service_without_a_key_needs_no_session(api_home: Path) -> None:
    client = TestClient(create_app(get_settings()), base_url=HOST)
    assert client.get("/session").json() == {"key_required": False, "signed_in": False, "link": None}
    reply = client.post("/session", json={"key": "anything"})
    assert (reply.status_code, "set-cookie" in reply.headers) == (204, False)
