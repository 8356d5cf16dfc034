"""Endpoints that the studio needs beside those of jobs: the log, the newest sample, and the system."""

from starlette.testclient import TestClient

from app.core.settings import get_settings
from app.services.jobs import attempts
from tests.support.jobs import make_job, record_report


def test_log_is_the_end_of_the_newest_attempts_file(client: TestClient) -> None:
    job = make_job()
    folder = get_settings().logs
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{job.id}-2.log").write_text("second\n")
    (folder / f"{job.id}-10.log").write_text("first line\nsecond line\nlast line\n")
    reply = client.get(f"/jobs/{job.id}/log", params={"lines": 2})
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.text == "second line\nlast line\n"
    (folder / f"{job.id}-11.log").write_bytes(b"x" * 200_000 + b"\xff end\n")
    assert len(client.get(f"/jobs/{job.id}/log").text) <= 64 << 10


def test_job_without_a_log_says_why(client: TestClient) -> None:
    reply = client.get(f"/jobs/{make_job().id}/log")
    assert (reply.status_code, reply.json()["code"]) == (404, "no_log")
    assert client.get("/jobs/job_%2A/log").json()["code"] == "job_not_found"


def test_jobs_link_to_their_newest_sample(client: TestClient) -> None:
    job, other = make_job(), make_job()
    claim = attempts.claim(job.id, "worker")
    assert claim is not None
    for step in (1, 12, 3):
        record_report(job.id, claim.fence, step, {}, f"picture {step}".encode())
    listed = {one["id"]: one["links"] for one in client.get("/jobs").json()["data"]}
    assert client.get(listed[job.id]["sample"]).content == b"picture 12"
    assert "sample" not in listed[other.id]
    assert client.get(f"/jobs/{job.id}").json()["links"]["sample"] == listed[job.id]["sample"]


def test_system_names_queues_workers_and_disk(client: TestClient) -> None:
    job = make_job()
    before = client.get("/system").json()
    assert attempts.claim(job.id, "worker-7") is not None
    after = client.get("/system").json()
    queued, running = ({queue["name"]: queue[state] for queue in after["queues"]} for state in ("queued", "running"))
    assert queued["training"] == {queue["name"]: queue["queued"] for queue in before["queues"]}["training"] - 1
    assert running["training"] >= 1
    assert {"job": job.id, "kind": "train", "worker": "worker-7", "heartbeat_at": None} in [
        one | {"heartbeat_at": None} for one in after["attempts"]
    ]
    assert 0 < after["disk"]["free_bytes"] <= after["disk"]["total_bytes"]
    assert after["versions"]["torch"]
