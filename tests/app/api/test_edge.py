"""Who is let in: hosts, keys, addresses. And an API on a host without torch."""

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from app.core.settings import get_settings
from app.main import create_app

NO_NAMES = [
    "",
    "[::1",
    "evil.com@127.0.0.1",
    "@127.0.0.1",
    "127.0.0.1/",
    "127.0.0.1, evil.com",
    "127.0.0.1:80@evil.com",
]
"""what no Host header may hold"""
NO_HOSTS = ["evil.example", "127.0.0.1.evil.example", "127.0.0.1:port", *NO_NAMES]
KEY = {"authorization": "Bearer s3cret"}


def client(**settings: object) -> TestClient:
    """Without lifespan: what is asked here is answered before any part is needed."""
    return TestClient(create_app(get_settings().model_copy(update=settings)), base_url="http://127.0.0.1")


@pytest.mark.parametrize(
    ("settings", "taken", "refused"),
    [
        ({}, ["localhost", "127.0.0.1:8000", "[::1]"], NO_HOSTS),
        ({"hosts": "gan.example, Forger.Example"}, ["localhost", "forger.example:80"], ["evil.example"]),
        ({"api_key": SecretStr("s3cret")}, ["localhost", "evil.example"], NO_NAMES),
        ({"api_key": SecretStr("s3cret"), "hosts": "gan.example"}, ["localhost", "gan.example"], ["evil.example"]),
    ],
)
def test_hosts(api_home: Path, settings: dict[str, object], taken: list[str], refused: list[str]) -> None:
    asked = client(**settings)
    statuses = {host: asked.get("/livez", headers={"host": host}).status_code for host in (*taken, *refused)}
    assert statuses == dict.fromkeys(taken, 200) | dict.fromkeys(refused, 421)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        *((given, "key_missing") for given in (None, "", "s3cret", "Bearer", "Bearer ", "Basic s3cret")),
        *((given, "key_wrong") for given in ("Bearer s3cre", "Bearer s3crett", "Bearer ß")),
    ],
)
def test_a_key_must_be_whole_and_right(api_home: Path, given: str | None, code: str) -> None:
    headers = {} if given is None else {"authorization": given.encode()}
    reply = client(api_key=SecretStr("s3cret")).get("/version", headers=headers)  # type: ignore[arg-type]
    assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert reply.json()["code"] == code
    assert "s3cret" not in reply.text


def test_a_right_key_opens_and_health_needs_none(api_home: Path) -> None:
    guarded = client(api_key=SecretStr("s3cret"))
    assert guarded.get("/version", headers=KEY).status_code == 200
    assert guarded.get("/livez").status_code == 200


@pytest.mark.parametrize("address", ["/jobs/job_%00", "/jobs?family=a%00b", "/models/%00"])
def test_an_address_with_a_nul_is_refused(api_home: Path, address: str) -> None:
    """PostgreSQL has no text for it, and SQLite has."""
    reply = client().get(address)
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


def test_without_torch_everything_but_the_networks_answers(api_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("serving.engine")]:
        monkeypatch.delitem(sys.modules, name)
    with client() as thin:
        engine = thin.get("/readyz").json()["checks"]["engine"]
        assert engine["ok"]
        assert "torch is not installed" in engine["detail"]
        made = thin.post("/jobs", json={"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 3}})
        assert made.status_code == 201
        assert thin.get("/metrics").status_code == 200


def test_two_hosts_are_refused(api_home: Path) -> None:
    reply = client().get("/livez", headers=[("host", "localhost"), ("host", "localhost")])
    assert (reply.status_code, reply.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_sample_is_only_read(api_home: Path, method: str) -> None:
    with capture_logs() as lines:
        reply = client().request(method, "/sample")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
    assert [line["route"] for line in lines if line["event"] == "request"] == ["/sample"]


QUERIES = (
    "n=0", "n=x", "n=1&n=2&seed=a", "color=1", "class_=3", "temperature=nan", "temperature=0", "seed=-1",
    f"seed={2**63}", "model=A", "format=gif", "scale=1000", "n=%ff", "seed=1.5", "class=" + "a" * 101,
)  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
def test_the_direct_way_refuses_as_the_described_one(api_home: Path, query: str) -> None:
    direct, described = create_app(get_settings()), create_app(get_settings())
    described.user_middleware = [layer for layer in described.user_middleware if "SampleFastPath" not in repr(layer)]
    assert len(described.user_middleware) == len(direct.user_middleware) - 1
    told = []
    for app in (direct, described):
        app.state.inference = None  # nothing here reaches it
        reply = TestClient(app, base_url="http://127.0.0.1").get(f"/sample?{query}", headers={"x-request-id": "same"})
        assert reply.status_code == 422
        told.append(reply.json())
    assert told[0] == told[1]
