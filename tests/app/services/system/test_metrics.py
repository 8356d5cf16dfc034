"""/metrics: its values agree with the database and the engine, and its names with the documentation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from app.core.settings import CHECKOUT, Settings
from app.db.session import unit_of_work
from app.main import create_app
from app.services.jobs import attempts
from app.services.system.metrics import Metrics
from forger.wire import JobState
from tests.support.exports import write_vivid
from tests.support.jobs import make_job, put_in


@pytest.fixture
def client(database: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings()), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def metric(client: TestClient, name: str, **labels: str) -> float | None:
    reply = client.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    samples = [sample for family in text_string_to_metric_families(reply.text) for sample in family.samples]
    values = [sample.value for sample in samples if sample.name == name and sample.labels == labels]
    assert len(values) <= 1
    return values[0] if values else None


def test_jobs_are_counted_by_state(client: TestClient) -> None:
    for state in (JobState.QUEUED, JobState.QUEUED, JobState.RUNNING, JobState.FAILED):
        put_in(state, make_job().id)
    counted = {state.value: metric(client, "forger_jobs", state=state) for state in JobState}
    assert counted == dict.fromkeys(JobState, 0) | {"queued": 2, "running": 1, "failed": 1}


def test_oldest_queued_seconds_is_the_longest_wait(client: TestClient) -> None:
    assert metric(client, "forger_oldest_queued_seconds") == 0
    job = make_job()
    make_job()
    with unit_of_work() as session:
        session.execute(text("UPDATE jobs SET queued_at = queued_at - 100 WHERE id = :id"), {"id": job.id})
    waited = metric(client, "forger_oldest_queued_seconds")
    assert waited is not None
    assert 100 <= waited < 200


def test_takeovers_are_the_attempts_beyond_the_first(client: TestClient) -> None:
    for losses in (0, 1, 2):
        job = make_job()
        for fence in range(1, losses + 1):
            assert attempts.claim(job.id, "tests") is not None
            attempts.record_runner_loss(job.id, fence, "worker_lost", "It went.")
        assert attempts.claim(job.id, "tests") is not None
    make_job()
    assert metric(client, "forger_takeovers") == 3


def test_steps_per_second_are_summed_by_family(client: TestClient) -> None:
    for family in ("cdcgan", "cdcgan", "gan"):
        job = make_job(family, "digits" if family == "cdcgan" else "ring8", steps=20)
        assert attempts.claim(job.id, "tests") is not None
        attempts.renew(job.id, 1, 10, eta_s=5.0)
    assert metric(client, "forger_steps_per_second", family="cdcgan") == pytest.approx(4)
    assert metric(client, "forger_steps_per_second", family="gan") == pytest.approx(2)


def test_requests_are_counted_by_method_route_and_status(client: TestClient) -> None:
    job = make_job()
    for _ in range(3):
        client.get(f"/jobs/{job.id}")
    client.get("/nowhere/at/all")
    client.request("BREW", "/livez")
    name = "forger_request_seconds_count"
    assert metric(client, name, method="GET", route="/jobs/{job_id}", status="200") == 3
    assert metric(client, name, method="GET", route="none", status="404") == 1
    assert metric(client, name, method="other", route="/livez", status="405") == 1


def test_engine_batches_are_counted(client: TestClient, database: Path) -> None:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    database.mkdir(exist_ok=True)
    write_vivid(database / "some.safetensors", job.recipe)
    attempts.finish_training(job.id, 1, database / "some.safetensors", {}, step=20, figures={})
    assert client.get("/sample?n=40&seed=1").status_code == 200
    assert metric(client, "forger_engine_up") == 1
    assert metric(client, "forger_engine_batch_pictures_count") == 2
    assert metric(client, "forger_engine_batch_pictures_bucket", le="8.0") == 1, "the last eight of forty"
    assert metric(client, "forger_engine_batch_pictures_sum") == 40
    assert metric(client, "forger_engine_waiting_pictures") == 0


def test_version_and_memory_of_the_process_are_exposed(client: TestClient) -> None:
    assert metric(client, "forger_build_info", version=client.get("/version").json()["version"]) == 1
    assert metric(client, "process_resident_memory_bytes")


def test_metrics_without_a_database_are_still_exposed(home: Path) -> None:
    """The home has no migrated database."""
    metrics = Metrics("1", lambda: None)
    values = {sample.name: sample.value for family in metrics.families() for sample in family.samples}
    assert (values["forger_database_up"], values["forger_engine_up"]) == (0, 0)
    assert "forger_jobs" not in values
    assert values["process_resident_memory_bytes"] > 0


def test_metrics_need_the_api_key(database: Path) -> None:
    app = create_app(Settings(api_key=SecretStr("secret")))
    with TestClient(app, base_url="http://anything") as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer secret"}).status_code == 200


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_documented_metrics_are_the_exposed_ones(database: Path) -> None:
    rows = {
        f"| `{family.name}` | {family.type} | {family.documentation} |"
        for family in Metrics("1", lambda: None).families()
    }
    page_lines = (CHECKOUT / "docs" / "operations.md").read_text().splitlines()
    ours = {line for line in rows if line.startswith("| `forger_")}
    assert ours - set(page_lines) == set(), "docs/operations.md lacks these lines"
    assert {line for line in page_lines if line.startswith("| `forger_")} == ours
