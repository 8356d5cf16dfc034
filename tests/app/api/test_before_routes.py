"""Requests that are refused before any route: hosts, API keys, malformed URLs. And an API on a host without torch."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.core.settings import get_settings
from app.main import create_app

INVALID_HOSTS = [
    "",
    "[::1",
    "evil.com@127.0.0.1",
    "@127.0.0.1",
    "127.0.0.1/",
    "127.0.0.1, evil.com",
    "127.0.0.1:80@evil.com",
]
"""values that no Host header may have"""
REFUSED_HOSTS = ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:port", *INVALID_HOSTS]
KEY = {"authorization": "Bearer s3cret"}


def client_with(**settings: object) -> TestClient:
    """Return a client of an API that is not started: these requests are answered without its parts."""
    return TestClient(create_app(get_settings().model_copy(update=settings)), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("settings", "accepted", "refused"),
    [
        ({}, ["localhost", "127.0.0.1:8000", "[::1]"], REFUSED_HOSTS),
        ({"hosts": "gan.example, Forger.Example"}, ["localhost", "forger.example:80"], ["evil.example"]),
        ({"api_key": SecretStr("s3cret")}, ["localhost", "evil.example"], INVALID_HOSTS),
        ({"api_key": SecretStr("s3cret"), "hosts": "gan.example"}, ["localhost", "gan.example"], ["evil.example"]),
    ],
)
def test_only_allowed_hosts_are_accepted(
    api_home: Path, settings: dict[str, object], accepted: list[str], refused: list[str]
) -> None:
    client = client_with(**settings)
    statuses = {host: client.get("/livez", headers={"host": host}).status_code for host in (*accepted, *refused)}
    assert statuses == dict.fromkeys(accepted, 200) | dict.fromkeys(refused, 421)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        *((value, "key_missing") for value in (None, "", "s3cret", "Bearer", "Bearer ", "Basic s3cret")),
        *((value, "key_wrong") for value in ("Bearer s3cre", "Bearer s3crett", "Bearer ß")),
    ],
)
def test_missing_or_wrong_api_key_replies_401(api_home: Path, authorization: str | None, code: str) -> None:
    headers = {} if authorization is None else {"authorization": authorization.encode()}
    reply = client_with(api_key=SecretStr("s3cret")).get("/version", headers=headers)  # type: ignore[arg-type]
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json()["code"] == code
    assert "s3cret" not in reply.text


def test_correct_api_key_is_accepted_and_livez_needs_none(api_home: Path) -> None:
    guarded = client_with(api_key=SecretStr("s3cret"))
    assert guarded.get("/version", headers=KEY).status_code == 200
    assert guarded.get("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/jobs/job_%00", "/jobs?family=a%00b", "/models/%00"])
def test_url_with_a_nul_character_is_refused(api_home: Path, path: str) -> None:
    """PostgreSQL cannot store this character, and SQLite can."""
    reply = client_with().get(path)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


def test_api_without_torch_reports_it_and_creates_jobs(api_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("serving.engine")]:
        monkeypatch.delitem(sys.modules, name)
    with client_with() as client:
        engine = client.get("/readyz").json()["checks"]["engine"]
        assert engine["ok"]
        assert "torch is not installed" in engine["detail"]
        created = client.post("/jobs", json={"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 3}})
        assert created.status_code == 201
        assert client.get("/metrics").status_code == 200


def test_two_host_headers_are_refused(api_home: Path) -> None:
    reply = client_with().get("/livez", headers=[("host", "localhost"), ("host", "localhost")])
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("method", ["PUT", "OPTIONS"])
def test_sample_accepts_only_get_head_and_post(api_home: Path, method: str) -> None:
    with capture_logs() as lines:
        reply = client_with().request(method, "/sample")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD, POST")
    assert [line["route"] for line in lines if line["event"] == "request"] == ["/sample"]


INVALID_QUERIES = (
    "n=0", "n=x", "n=1&n=2&seed=a", "color=1", "class_=3", "temperature=nan", "temperature=0", "seed=-1",
    f"seed={2**63}", "model=A", "format=gif", "scale=1000", "n=%ff", "seed=1.5", "class=" + "a" * 101,
)  # fmt: skip


@pytest.mark.parametrize("query", INVALID_QUERIES)
def test_sample_fast_path_refuses_like_the_documented_route(api_home: Path, query: str) -> None:
    with_fast_path, without_fast_path = create_app(get_settings()), create_app(get_settings())
    without_fast_path.user_middleware = [
        layer for layer in without_fast_path.user_middleware if "SampleFastPath" not in repr(layer)
    ]
    assert len(without_fast_path.user_middleware) == len(with_fast_path.user_middleware) - 1
    problems = []
    for app in (with_fast_path, without_fast_path):
        app.state.inference = None  # no request here reaches it
        reply = TestClient(app, base_url="http://127.0.0.1").get(f"/sample?{query}", headers={"x-request-id": "same"})
        assert reply.status_code == 422
        problems.append(reply.json())
    assert problems[0] == problems[1]
