"""Pages of other origins may change nothing, unless the service has a key or its settings list the origin."""

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
NOT_FOREIGN: tuple[dict[str, str], ...] = (
    {},
    {"origin": f"http://{HOST}"},
    {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"},
    {"sec-fetch-site": "none"},
)


@pytest.fixture(scope="module")
def backend() -> str:
    """Use one database: these tests store nothing."""
    return "sqlite"


def client_with(**settings: object) -> TestClient:
    return TestClient(create_app(get_settings().model_copy(update=settings)), base_url=f"http://{HOST}")


def unsafe_operations() -> list[tuple[str, str]]:
    """Return method and path of every operation that may change something."""
    app = create_app(get_settings())
    operations = [(method, path) for path, methods in app.openapi()["paths"].items() for method in methods]
    return [(method.upper(), path) for method, path in operations if method.upper() not in SAFE_METHODS]


def test_unsafe_methods_are_refused_to_foreign_origins(api_home: Path) -> None:
    operations = unsafe_operations()
    assert ("POST", "/translate") in operations
    assert ("DELETE", "/jobs/{job_id}") in operations
    client = client_with()
    for method, path in operations:
        for headers in FOREIGN:
            reply = client.request(method, path, headers=headers, content=b"{}")
            assert (reply.status_code, reply.json()["code"]) == (403, "foreign_origin"), (method, path, headers)


@pytest.mark.parametrize("headers", NOT_FOREIGN, ids=str)
def test_own_origin_and_requests_without_origin_are_accepted(api_home: Path, headers: dict[str, str]) -> None:
    with client_with() as client:
        assert client.post("/jobs/job_none/cancel", headers=headers).status_code == 404


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_foreign_origin_may_read_and_with_the_key_may_write(api_home: Path, headers: dict[str, str]) -> None:
    """A foreign page cannot see the reply, because its browser hides it, and cannot know the key."""
    assert client_with().get("/version", headers=headers).status_code == 200
    with client_with(api_key=SecretStr("s3cret")) as guarded:
        keyed = headers | {"authorization": "Bearer s3cret"}
        assert guarded.post("/jobs/job_none/cancel", headers=headers).status_code == 401
        assert guarded.post("/jobs/job_none/cancel", headers=keyed).status_code == 404


@pytest.mark.parametrize("key", [None, SecretStr("s3cret")], ids=["no key", "a key"])
def test_origin_listed_in_cors_origins_may_send_and_read(api_home: Path, key: SecretStr | None) -> None:
    page = {"origin": LAB, "sec-fetch-site": "cross-site"}
    preflight_headers = page | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    keyed = page | ({"authorization": "Bearer s3cret"} if key else {})
    with client_with(cors_origins=f"http://other.example, {LAB}", api_key=key) as client:
        preflight = client.options("/jobs", headers=preflight_headers)
        assert preflight.status_code == 204
        assert "content-type" in preflight.headers["access-control-allow-headers"].lower()
        assert "POST" in preflight.headers["access-control-allow-methods"]
        reply = client.post("/jobs/job_none/cancel", headers=keyed)
        assert reply.status_code == 404
        for allowed in (preflight, reply, client.get("/version", headers=keyed)):
            assert allowed.headers["access-control-allow-origin"] == LAB
            assert "Origin" in allowed.headers["vary"]
        foreign = {"origin": "https://evil.example"}
        assert client.options("/jobs", headers=preflight_headers | foreign).status_code in (401, 405)
        refused = client.post("/jobs", headers=keyed | foreign, json={})
        assert refused.status_code == (422 if key else 403)
        assert "access-control-allow-origin" not in refused.headers


def test_no_cors_headers_are_sent_without_the_setting(api_home: Path) -> None:
    headers = {"origin": LAB, "access-control-request-method": "POST"}
    reply = client_with().options("/jobs", headers=headers)
    assert reply.status_code == 405
    assert not any(name.startswith("access-control") for name in reply.headers)


@pytest.mark.parametrize("origins", ["*", "lab.example", "https://lab.example/", "https://a.example, ftp://b.example"])
def test_invalid_cors_origins_setting_is_refused(origins: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(cors_origins=origins)


REQUESTS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "/livez", {}),
    ("GET", "/nowhere", {}),
    ("DELETE", "/jobs", {}),
    ("POST", "/jobs", {"origin": "https://evil.example"}),
    ("GET", "/livez", {"host": "evil.example"}),
    ("GET", "/sample", {}),
    ("GET", "/broken", {}),
)


@pytest.mark.parametrize(("method", "path", "headers"), REQUESTS)
def test_every_reply_forbids_embedding_by_other_origins(
    api_home: Path, method: str, path: str, headers: dict[str, str]
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    app = create_app(get_settings())
    app.add_api_route("/broken", broken)
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as client:
        reply = client.request(method, path, headers=headers)
    assert reply.headers["cross-origin-resource-policy"] == "same-origin"
    assert reply.headers["x-content-type-options"] == "nosniff"
