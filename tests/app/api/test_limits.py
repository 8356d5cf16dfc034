"""GET /limits lists the limits, and refusals name a limit by the same word."""

import pytest
from starlette.testclient import TestClient

from app.core.settings import Settings, get_settings


@pytest.fixture
def limits(client: TestClient) -> dict[str, int]:
    data = client.get("/limits").json()["data"]
    assert all(limit["meaning"].endswith(".") for limit in data)
    named = {limit["name"]: limit["value"] for limit in data}
    assert len(named) == len(data)
    return named


def test_every_limit_that_is_a_setting_is_listed(limits: dict[str, int]) -> None:
    settings = get_settings()
    names = {name for name in Settings.model_fields if name.startswith("max_")} | {"queue_pictures"}
    assert {name: limits[name] for name in names} == {name: getattr(settings, name) for name in names}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("limit", "/jobs?limit={}"),
        ("events", "/jobs/job_x/events?limit={}"),
        ("seed", "/sample?seed={}"),
        ("scale", "/sample?scale={}"),
    ],
)
def test_value_at_the_limit_is_accepted_and_one_above_is_refused(
    client: TestClient, limits: dict[str, int], name: str, address: str
) -> None:
    assert client.get(address.format(limits[name])).status_code != 422
    assert client.get(address.format(limits[name] + 1)).status_code == 422


def test_names_keys_and_ids_over_their_length_limit_are_refused(client: TestClient, limits: dict[str, int]) -> None:
    body = {"recipe": "gan", "dataset": "digits", "budget": {"steps": 1}}
    for excess in (0, 1):
        name, key = "n" * (limits["name"] + excess), "k" * (limits["idempotency_key"] + excess)
        status = 422 if excess else 201
        assert client.post("/jobs", json={**body, "model": name}).status_code == status
        assert client.post("/jobs", json=body, headers={"Idempotency-Key": key}).status_code == status
        started = client.post("/jobs", json={**body, "start_from": "c" * (limits["id"] + excess)})
        assert started.status_code == (422 if excess else 404)


def test_refusals_of_large_bodies_name_their_limit(client: TestClient, limits: dict[str, int]) -> None:
    body = client.post("/jobs", content=b" " * (limits["max_body_bytes"] + 1))
    assert (body.status_code, "max_body_bytes" in body.json()["detail"]) == (413, True)
    upload = client.post("/translate", content=b" " * (limits["max_upload_bytes"] + (1 << 20)))
    assert upload.status_code == 413
    assert f"the limit is {limits['max_upload_bytes']} bytes (max_upload_bytes)" in upload.json()["detail"]
