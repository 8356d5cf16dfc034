"""Lists of models, datasets and recipes; health, the API key and host names."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.main import create_app
from models.spec.datasets import DATASETS
from models.spec.families import FAMILIES
from tests.app.api.conftest import Publish
from tests.support.wait import until


def test_models_are_listed_with_their_versions(client: TestClient, publish: Publish) -> None:
    assert client.get("/models").json() == {"data": []}
    publish("gan", "digits", name="b")
    publish("gan", "digits", name="a")
    publish("cdcgan", "digits", name="a")
    listed = client.get("/models").json()["data"]
    assert [(model["name"], model["versions"]) for model in listed] == [("a", [2, 1]), ("b", [1])]
    newest = listed[0]["latest"]
    assert (newest["model"], newest["dataset"], newest["classes"]) == ("a@2", "digits", 10)
    assert newest["card"] == {"note": "untrained", "figures": {}, "sample": None}
    detail = client.get("/models/a").json()
    assert detail["versions"][0] == newest
    assert [version["version"] for version in detail["versions"]] == [2, 1]
    job = client.get(f"/jobs/{newest['job']}").json()
    published = {"model": "a@2", "export_sha256": newest["export_sha256"], "step": newest["step"]}
    assert job["result"] == published | {"figures": {}, "provenance": None, "shards": None}


def test_built_in_datasets_are_listed(client: TestClient) -> None:
    listed = client.get("/datasets").json()["data"]
    assert [dataset["name"] for dataset in listed] == list(DATASETS)
    digits = client.get("/datasets/digits").json()
    assert digits.keys() - listed[0].keys() == {"report", "links"}
    assert listed[0] == {name: digits[name] for name in listed[0]}
    assert (digits["side"], digits["channels"], digits["classes"]) == (16, 1, 10)


def test_recipes_can_be_posted_as_they_are_listed(client: TestClient) -> None:
    listed = client.get("/recipes").json()["data"]
    assert [recipe["name"] for recipe in listed] == list(FAMILIES)
    for recipe in listed:
        assert recipe.keys() == {
            "name", "title", "use", "paper", "game", "conditional", "schema", "defaults", "dials",
        }  # fmt: skip
        assert client.get(f"/recipes/{recipe['name']}").json() == recipe
        assert client.post("/jobs", json={"recipe": recipe["defaults"]}).status_code == 201


def test_a_list_of_recipes_without_schemas_is_otherwise_the_same(client: TestClient) -> None:
    whole = client.get("/recipes").json()["data"]
    assert client.get("/recipes?schema=false").json()["data"] == [{**recipe, "schema": None} for recipe in whole]


def test_every_link_of_the_index_is_a_route(client: TestClient) -> None:
    links = client.get("/").json()["links"].values()
    paths = client.get("/openapi.json").json()["paths"].keys()
    assert set(links) <= paths | {"/openapi.json", "/docs", "/studio"}


def test_livez_version_and_readyz_report_health(client: TestClient) -> None:
    assert client.get("/livez").json() == {"status": "ok"}
    assert client.get("/version").json()["name"] == "forger"

    def checks() -> dict[str, dict[str, object]]:
        reply = client.get("/readyz")
        assert reply.status_code == 503  # no broker runs here
        assert reply.headers["content-type"] == "application/problem+json"
        by_name: dict[str, dict[str, object]] = reply.json()["checks"]
        return by_name

    until(lambda: checks()["engine"]["ok"])
    assert checks()["database"]["ok"]
    assert not checks()["broker"]["ok"]


@pytest.mark.parametrize("authorization", ["", "Bearer key-2", "key-1", "Bearer", "Bearer \xe9", "Basic key-1"])
def test_api_key_is_required_for_everything_but_livez(api_home: Path, authorization: str) -> None:
    settings = get_settings().model_copy(update={"api_key": SecretStr("key-1")})
    with TestClient(create_app(settings), base_url="http://forger.example") as client:
        assert client.get("/livez").status_code == 200
        for path in ("/jobs", "/nowhere", "/openapi.json", "/"):
            reply = client.get(path, headers=[(b"authorization", authorization.encode("latin-1"))])
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
            assert reply.headers["content-type"] == "application/problem+json"
        assert client.get("/jobs", headers={"authorization": "Bearer key-1"}).status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:1", "LOCALHOST:80"])
def test_loopback_host_names_are_accepted(client: TestClient, host: str) -> None:
    assert client.get("/livez", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1", ""])
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/livez", headers={"host": host}).status_code == 421
