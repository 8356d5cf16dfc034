"""What a web page may do: of another origin nothing that changes anything, unless the service has a key or names it."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from starlette.testclient import TestClient

from app.api.headers import SAFE_METHODS
from app.core.settings import Settings, get_settings
from app.main import create_app

HOST = "127.0.0.1:8000"
LAB = "https://lab.example"
FOREIGN = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:3000"},
    {"origin": "http://localhost:8000"},
    {"origin": "http://127.0.0.1:8000.evil.example"},
    {"origin": ""},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": f"http://{HOST}"},
)
OWN: tuple[dict[str, str], ...] = (
    {},
    {"origin": f"http://{HOST}"},
    {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"},
    {"sec-fetch-site": "none"},
)


@pytest.fixture(scope="module")
def backend() -> str:
    """What is tested here asks the database for nothing."""
    return "sqlite"


def client(**settings: object) -> TestClient:
    return TestClient(create_app(get_settings().model_copy(update=settings)), base_url=f"http://{HOST}")


def unsafe() -> list[tuple[str, str]]:
    """Every method and address that may change something."""
    app = create_app(get_settings())
    found = [(method, path) for path, room in app.openapi()["paths"].items() for method in room]
    return [(method.upper(), path) for method, path in found if method.upper() not in SAFE_METHODS]


def test_every_unsafe_method_is_refused_to_a_foreign_page(api_home: Path) -> None:
    ways = unsafe()
    assert ("POST", "/translate") in ways
    assert ("DELETE", "/jobs/{job_id}") in ways
    asked = client()
    for method, path in ways:
        for headers in FOREIGN:
            reply = asked.request(method, path, headers=headers, content=b"{}")
            assert (reply.status_code, reply.json()["code"]) == (403, "foreign_origin"), (method, path, headers)


@pytest.mark.parametrize("headers", OWN, ids=str)
def test_our_own_page_and_other_clients_are_let_in(api_home: Path, headers: dict[str, str]) -> None:
    with client() as asked:
        assert asked.post("/jobs/job_none/cancel", headers=headers).status_code == 404


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_page_may_read_or_has_the_key(api_home: Path, headers: dict[str, str]) -> None:
    """Its browser lets it see nothing of a reply; and it cannot know the key."""
    assert client().get("/version", headers=headers).status_code == 200
    with client(api_key=SecretStr("s3cret")) as guarded:
        keyed = headers | {"authorization": "Bearer s3cret"}
        assert guarded.post("/jobs/job_none/cancel", headers=headers).status_code == 401
        assert guarded.post("/jobs/job_none/cancel", headers=keyed).status_code == 404


@pytest.mark.parametrize("key", [None, SecretStr("s3cret")], ids=["no key", "a key"])
def test_a_named_origin_may_ask_and_read(api_home: Path, key: SecretStr | None) -> None:
    page = {"origin": LAB, "sec-fetch-site": "cross-site"}
    asks = page | {"access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    keyed = page | ({"authorization": "Bearer s3cret"} if key else {})
    with client(cors_origins=f"http://other.example, {LAB}", api_key=key) as asked:
        preflight = asked.options("/jobs", headers=asks)
        assert preflight.status_code == 204
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        assert "POST" in preflight.headers["access-control-allow-methods"]
        reply = asked.post("/jobs/job_none/cancel", headers=keyed)
        assert reply.status_code == 404
        for told in (preflight, reply, asked.get("/version", headers=keyed)):
            assert told.headers["access-control-allow-origin"] == LAB
            assert "Origin" in told.headers["vary"]
        stranger = {"origin": "https://evil.example"}
        assert asked.options("/jobs", headers=asks | stranger).status_code in (401, 405)
        refused = asked.post("/jobs", headers=keyed | stranger, json={})
        assert refused.status_code == (422 if key else 403)
        assert "access-control-allow-origin" not in refused.headers


def test_no_origin_is_named_unless_the_setting_does(api_home: Path) -> None:
    asks = {"origin": LAB, "access-control-request-method": "POST"}
    reply = client().options("/jobs", headers=asks)
    assert reply.status_code == 405
    assert not any(name.startswith("access-control") for name in reply.headers)


@pytest.mark.parametrize("origins", ["*", "lab.example", "https://lab.example/", "https://a.example, ftp://b.example"])
def test_what_is_no_origin_is_refused_at_the_start(origins: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(cors_origins=origins)


ANY: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "/livez", {}),
    ("GET", "/nowhere", {}),
    ("DELETE", "/jobs", {}),
    ("POST", "/jobs", {"origin": "https://evil.example"}),
    ("GET", "/livez", {"host": "evil.example"}),
    ("GET", "/sample", {}),
    ("GET", "/broken", {}),
)


@pytest.mark.parametrize(("method", "path", "headers"), ANY)
def test_no_other_origin_embeds_any_reply(api_home: Path, method: str, path: str, headers: dict[str, str]) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    app = create_app(get_settings())
    app.add_api_route("/broken", broken)
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as asked:
        reply = asked.request(method, path, headers=headers)
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert reply.headers["x-content-type-options"] == "nosniff"
