"""A link shows one job, one experiment or one model to a browser without the key, until it ends or is revoked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.api.sessions import Sessions
from app.core.settings import get_settings
from app.db.session import unit_of_work
from app.db.tables import Link
from app.main import create_app
from app.services.jobs import lifecycle
from tests.support.experiments import make_experiment
from tests.support.exports import publish_vivid
from tests.support.server import serving

HOST = "http://127.0.0.1:8000"
KEY = "correct horse battery staple"
WITH_KEY = {"authorization": f"Bearer {KEY}"}
OWN_PAGE = {"origin": HOST}
GAN = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}}


@pytest.fixture
def client(api_home: Path) -> Iterator[TestClient]:
    """A client without a session; it sends the key only where a test adds it."""
    settings = get_settings().model_copy(update={"api_key": SecretStr(KEY), "hosts": None})
    with TestClient(create_app(settings), base_url=HOST, follow_redirects=False) as client:
        yield client


Create = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def create(client: TestClient) -> Create:
    def created(body: dict[str, Any]) -> dict[str, Any]:
        reply = client.post("/links", json=body, headers=WITH_KEY)
        assert reply.status_code == 201, reply.text
        link: dict[str, Any] = reply.json()
        return link

    return created


def job_of(client: TestClient) -> str:
    reply = client.post("/jobs", json=GAN, headers=WITH_KEY)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def token_of(link: dict[str, Any]) -> str:
    token: str = parse_qs(urlsplit(link["href"]).query)["link"][0]
    return token


def open_link(client: TestClient, link: dict[str, Any]) -> None:
    assert client.post("/session", json={"link": token_of(link)}).status_code == 204


def code(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json()["code"]


def test_link_of_a_job_reads_that_job_and_nothing_else(client: TestClient, create: Create) -> None:
    shared, other = job_of(client), job_of(client)
    link = create({"kind": "job", "target": shared, "hours": 1})
    assert link["href"].startswith(f"/studio/jobs/{shared}?link=link_")
    assert code(client.get(f"/jobs/{shared}")) == (401, "key_missing")
    open_link(client, link)
    session = client.get("/session").json()
    assert (session["signed_in"], session["link"]["target"]) == (False, shared)
    for path in ("", "/events", "/metrics", "/samples", "/artifacts", "/checkpoints"):
        assert client.get(f"/jobs/{shared}{path}").status_code == 200, path
    assert client.get(f"/events?job={shared}&limit=5").status_code == 200
    for path in (
        f"/jobs/{other}", "/jobs", "/events", f"/events?job={shared}&job={other}", "/models", "/datasets",
        "/links", "/system", f"/compare?jobs={shared},{other}", f"/jobs/{shared}/../{other}",
    ):  # fmt: skip
        assert code(client.get(path)) == (403, "not_shared"), path


def test_link_of_an_augmentation_reads_its_report_and_no_other(client: TestClient, create: Create) -> None:
    body = {"dataset": "digits", "per_class": 2}
    shared, other = (client.post("/augmentations", json=body, headers=WITH_KEY).json()["job"]["id"] for _ in range(2))
    open_link(client, create({"kind": "job", "target": shared}))
    assert client.get(f"/augmentations/{shared}").status_code == 200
    assert code(client.get(f"/augmentations/{other}")) == (403, "not_shared")
    assert code(client.post("/augmentations", json=body)) == (403, "not_shared")


def test_link_changes_nothing(client: TestClient, create: Create) -> None:
    job = job_of(client)
    open_link(client, create({"kind": "job", "target": job}))
    for method, path in (
        ("POST", f"/jobs/{job}/cancel"),
        ("DELETE", f"/jobs/{job}"),
        ("POST", "/jobs"),
        ("POST", "/links"),
    ):
        assert code(client.request(method, path, headers=OWN_PAGE)) == (403, "not_shared"), path
    assert client.get(f"/jobs/{job}").json()["state"] == "queued"


def test_link_of_an_experiment_reads_it_its_jobs_and_their_comparison(client: TestClient, create: Create) -> None:
    experiment = make_experiment(**GAN, seeds=2)
    link = create({"kind": "experiment", "target": experiment.id})
    jobs = [job["id"] for job in client.get(f"/experiments/{experiment.id}", headers=WITH_KEY).json()["jobs"]]
    other = job_of(client)
    open_link(client, link)
    assert client.get(f"/experiments/{experiment.id}").status_code == 200
    assert client.get(f"/jobs/{jobs[1]}/metrics").status_code == 200
    assert client.get(f"/compare?jobs={jobs[0]},{jobs[1]}").status_code == 200
    for path in (f"/jobs/{other}", "/experiments", f"/compare?jobs={jobs[0]},{other}"):
        assert code(client.get(path)) == (403, "not_shared"), path


def test_link_of_a_model_draws_from_that_version_only(client: TestClient, create: Create) -> None:
    for _ in range(2):
        publish_vivid(name="sevens")
    link = create({"kind": "model", "target": "sevens@1"})
    assert link["href"].startswith("/studio/spot?model=sevens@1&link=link_")
    open_link(client, link)
    assert client.get("/sample?model=sevens@1&n=1").status_code == 200
    assert client.get("/models/sevens@1").status_code == 200
    for path in ("/sample", "/sample?model=sevens@2", "/sample?model=sevens@1&model=sevens@2", "/models/sevens@2"):
        assert code(client.get(path)) == (403, "not_shared"), path


def test_revoked_link_shows_nothing_also_to_who_has_opened_it(client: TestClient, create: Create) -> None:
    job = job_of(client)
    link = create({"kind": "job", "target": job})
    open_link(client, link)
    assert client.delete(f"/links/{link['id']}", headers=WITH_KEY).status_code == 204
    assert code(client.get(f"/jobs/{job}")) == (401, "link_ended")
    assert client.get("/session").json()["link"] is None
    assert code(client.post("/session", json={"link": token_of(link)})) == (401, "link_ended")
    assert client.delete(f"/links/{link['id']}", headers=WITH_KEY).status_code == 404


def test_link_ends_at_its_time(client: TestClient, create: Create) -> None:
    job = job_of(client)
    link = create({"kind": "job", "target": job, "hours": 1})
    open_link(client, link)
    with unit_of_work() as session:
        row = session.get(Link, link["id"])
        assert row is not None
        assert round(row.expires_at - row.created_at) == 3600
        row.expires_at = row.created_at
    assert code(client.get(f"/jobs/{job}")) == (401, "link_ended")
    assert link["id"] not in [one["id"] for one in client.get("/links", headers=WITH_KEY).json()["data"]]


def test_forged_tokens_and_cookies_open_nothing(client: TestClient, create: Create) -> None:
    job = job_of(client)
    link = create({"kind": "job", "target": job})
    other = Sessions(get_settings().model_copy(update={"api_key": SecretStr("another key")}))
    for token in ("", "x", link["id"], token_of(link)[:-1], other.token(link["id"])):
        assert client.post("/session", json={"link": token}).status_code == 401, token
    cookie = other.start("http", link["id"]).partition(";")[0].partition("=")[2]
    assert code(client.get(f"/jobs/{job}", headers={"cookie": f"forger_session={cookie}"})) == (401, "key_missing")


def test_links_are_listed_newest_first_with_the_address_they_were_created_with(
    client: TestClient, create: Create
) -> None:
    job = job_of(client)
    links = [create({"kind": "job", "target": job, "hours": hours}) for hours in (1, 2)]
    assert client.get("/links", headers=WITH_KEY).json()["data"][:2] == links[::-1]


@pytest.mark.parametrize("kind", ["job", "experiment", "model"])
def test_link_to_nothing_is_refused(client: TestClient, kind: str) -> None:
    before = client.get("/links", headers=WITH_KEY).json()
    reply = client.post("/links", json={"kind": kind, "target": "none"}, headers=WITH_KEY)
    assert reply.status_code == 404
    assert client.get("/links", headers=WITH_KEY).json() == before


def test_service_without_a_key_needs_no_links(api_home: Path) -> None:
    client = TestClient(create_app(get_settings()), base_url=HOST)
    assert code(client.post("/links", json={"kind": "job", "target": "job_none"})) == (409, "no_key")


@pytest.mark.parametrize("body", [{}, {"key": KEY, "link": "x"}])
def test_session_takes_either_the_key_or_a_link(client: TestClient, body: dict[str, str]) -> None:
    assert client.post("/session", json=body).status_code == 422


def test_stream_that_a_guest_follows_ends_with_the_link(api_home: Path) -> None:
    experiment = make_experiment(**GAN, seeds=2)
    settings = get_settings().model_copy(update={"api_key": SecretStr(KEY), "hosts": None})
    with (
        serving(create_app(settings)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        link = client.post("/links", json={"kind": "experiment", "target": experiment.id}, headers=WITH_KEY).json()
        client.post("/session", json={"link": token_of(link)}).raise_for_status()
        jobs = [job["id"] for job in client.get(f"/experiments/{experiment.id}").json()["jobs"]]
        path = f"/events?job={jobs[0]}&job={jobs[1]}"
        with client.stream("GET", path, headers={"accept": "text/event-stream"}) as stream:
            texts = stream.iter_text()
            assert next(texts).startswith(":")
            lifecycle.cancel(jobs[0])
            assert "cancelled" in next(texts)
            client.delete(f"/links/{link['id']}", headers=WITH_KEY).raise_for_status()
            lifecycle.cancel(jobs[1])
            assert list(texts) == []
