"""The log of a real service, line by line: JSON, and tied together by request, job and attempt."""

import json
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import uvicorn

from app.core.logging import configure
from app.core.settings import get_settings
from app.main import create_app
from tests.conftest import StartService
from tests.support.service import Service, end
from tests.support.wait import until

Line = dict[str, Any]
MEMBERS = {"timestamp", "level", "logger", "process", "event"}


def parsed(text: str) -> list[Line]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(line.keys() >= MEMBERS for line in lines)
    return lines


@pytest.fixture(scope="module")
def story(start_service: StartService) -> tuple[Service, str]:
    """A service that trained a job, whose runner was killed once, and that was stopped; the job's id."""
    service = start_service(FORGER_LOG_LEVEL="debug")
    asked = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 400}, "overrides": {"checkpoint_every": 5}}
    job_id = service.post(**asked)
    runner = until(lambda: service.job(job_id)["progress"]["step"] > 5 and service.runner(job_id))
    assert runner
    end(runner)
    service.wait_for(job_id, "succeeded")
    service.client.get(f"/jobs/{job_id}", headers={"x-request-id": "mine-1"})
    service.client.get("/livez", headers={"x-request-id": "probe-1"})
    service.client.get("/nothing/here", headers={"x-request-id": "lost-1"})
    service.client.get("/jobs", headers={"x-request-id": "listed-1", "host": "evil.example"})
    service.stop()
    return service, job_id


def lines(service: Service) -> list[Line]:
    return parsed(service.log.read_text())


def test_every_line_is_json_and_says_whose_it_is(story: tuple[Service, str]) -> None:
    service, _ = story
    assert {line["process"] for line in lines(service)} == {"serve", "api", "worker"}
    assert {line["logger"].partition(".")[0] for line in lines(service)} >= {"app", "worker", "uvicorn", "celery"}


def test_a_request_leaves_one_line(story: tuple[Service, str]) -> None:
    service, job_id = story
    said = [
        line for line in lines(service) if line["event"] == "request" and line["logger"] == "app.api.middleware.access"
    ]
    by_id = {line["request_id"]: line for line in said}
    assert len(by_id) == len(said)
    assert not any(line["logger"] == "uvicorn.access" for line in lines(service)), "the server's own is a second one"
    shown = ("level", "method", "route", "status", "job")
    told = {name: tuple(by_id[name].get(key) for key in shown) for name in ("mine-1", "probe-1", "lost-1", "listed-1")}
    assert told == {
        "mine-1": ("info", "GET", "/jobs/{job_id}", 200, job_id),
        "probe-1": ("debug", "GET", "/livez", 200, None),
        "lost-1": ("info", "GET", None, 404, None),
        "listed-1": ("info", "GET", None, 421, None),
    }
    assert all(line["ms"] >= 0 for line in said)


def test_supervisor_and_runner_name_job_and_attempt(story: tuple[Service, str]) -> None:
    service, job_id = story
    about = [(line["event"], line["attempt"]) for line in lines(service) if line["logger"] == "worker.supervisor"]
    assert about == [
        ("attempt_started", 1),
        ("attempt_lost", 1),
        ("attempt_ended", 1),
        ("attempt_started", 2),
        ("attempt_already_ended", 2),
        ("attempt_ended", 2),
    ]
    assert {line.get("job") for line in lines(service) if line["logger"] == "worker.supervisor"} == {job_id}


@pytest.mark.long
def test_a_runner_writes_the_same_kind_of_lines(start_service: StartService) -> None:
    """One that fails has something to say."""
    service = start_service()
    wild = {"kind": "sgd", "rate": 10.0, "momentum": 0.9}
    overrides = {"generator_optimizer": wild, "critic_optimizer": wild}
    job_id = service.post(recipe="lsgan", dataset="digits", budget={"steps": 50}, overrides=overrides)
    service.wait_for(job_id, "failed")
    (line,) = [line for line in parsed(runner_log(service, job_id)) if line["event"] == "attempt_failed"]
    service.stop()
    assert (line["process"], line["job"], line["attempt"], line["code"]) == ("runner", job_id, 1, "non_finite_loss")
    assert "Traceback" in line["exception"]


def runner_log(service: Service, job_id: str) -> str:
    return (service.home / "logs" / f"{job_id}-1.log").read_text()


@pytest.fixture
def _own_logging() -> Iterator[None]:
    """What `configure` takes over is put back."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers, root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers, (sys.excepthook, threading.excepthook) = handlers, hooks
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.mark.usefixtures("_own_logging")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_the_traceback_of_an_unforeseen_error_bears_the_request_id(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The problem document promises it; the server writes the line, not we."""
    configure("info", "api")
    app = create_app(get_settings())

    @app.get("/broken")
    def broken() -> None:
        raise ZeroDivisionError("a secret")

    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        until(lambda: server.started)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/broken"
        reply = httpx.get(url, headers={"x-request-id": "broken-1"})
        server.should_exit = True
        thread.join()
    assert (reply.status_code, reply.json()["request_id"]) == (500, "broken-1")
    told = [line for line in parsed(capfd.readouterr().err) if line.get("request_id") == "broken-1"]
    assert [line["status"] for line in told if line["event"] == "request"] == [500]
    assert any("ZeroDivisionError" in line.get("exception", "") for line in told)
