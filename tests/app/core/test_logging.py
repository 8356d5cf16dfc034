"""The log of a real service: JSON lines that name their request, job and attempt."""

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
from tests.support.service import Service
from tests.support.wait import until

Line = dict[str, Any]
MEMBERS = {"timestamp", "level", "logger", "process", "event"}


def parsed(text: str) -> list[Line]:
    lines = [json.loads(line) for line in text.splitlines()]
    assert all(line.keys() >= MEMBERS for line in lines)
    return lines


def lines(service: Service) -> list[Line]:
    return parsed(service.log.read_text())


def runner_log(service: Service, job_id: str) -> str:
    return (service.home / "logs" / f"{job_id}-1.log").read_text()


@pytest.fixture
def _restore_logging() -> Iterator[None]:
    """Restore the handlers, level and hooks that `configure` replaces."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers, root.level, (sys.excepthook, threading.excepthook)
    yield
    root.handlers, (sys.excepthook, threading.excepthook) = handlers, hooks
    root.setLevel(level)
    logging.captureWarnings(False)


def test_every_line_is_json_and_names_its_process_and_logger(logged_service: tuple[Service, str]) -> None:
    service, _ = logged_service
    assert {line["process"] for line in lines(service)} == {"serve", "api", "worker"}
    assert {line["logger"].partition(".")[0] for line in lines(service)} >= {"app", "worker", "uvicorn", "celery"}


def test_each_request_logs_one_line(logged_service: tuple[Service, str]) -> None:
    service, job_id = logged_service
    requests = [
        line for line in lines(service) if line["event"] == "request" and line["logger"] == "app.api.middleware.access"
    ]
    by_id = {line["request_id"]: line for line in requests}
    assert len(by_id) == len(requests)
    assert not any(line["logger"] == "uvicorn.access" for line in lines(service)), "uvicorn logged the request too"
    fields = ("level", "method", "route", "status", "job")
    logged = {
        name: tuple(by_id[name].get(key) for key in fields) for name in ("mine-1", "probe-1", "lost-1", "listed-1")
    }
    assert logged == {
        "mine-1": ("info", "GET", "/jobs/{job_id}", 200, job_id),
        "probe-1": ("debug", "GET", "/livez", 200, None),
        "lost-1": ("info", "GET", None, 404, None),
        "listed-1": ("info", "GET", None, 421, None),
    }
    assert all(line["ms"] >= 0 for line in requests)


def test_supervisor_lines_name_job_and_attempt(logged_service: tuple[Service, str]) -> None:
    service, job_id = logged_service
    events = [(line["event"], line["attempt"]) for line in lines(service) if line["logger"] == "worker.supervisor"]
    assert events == [
        ("attempt_started", 1),
        ("attempt_lost", 1),
        ("attempt_ended", 1),
        ("attempt_started", 2),
        ("attempt_already_ended", 2),
        ("attempt_ended", 2),
    ]
    assert {line.get("job") for line in lines(service) if line["logger"] == "worker.supervisor"} == {job_id}


@pytest.mark.long
def test_runner_that_fails_logs_json_with_its_traceback(start_service: StartService) -> None:

    service = start_service()
    diverging = {"kind": "sgd", "rate": 10.0, "momentum": 0.9}
    overrides = {"generator_optimizer": diverging, "critic_optimizer": diverging}
    job_id = service.post(recipe="lsgan", dataset="digits", budget={"steps": 50}, overrides=overrides)
    service.wait_for(job_id, "failed")
    (line,) = [line for line in parsed(runner_log(service, job_id)) if line["event"] == "attempt_failed"]
    service.stop()
    assert (line["process"], line["job"], line["attempt"], line["code"]) == ("runner", job_id, 1, "non_finite_loss")
    assert "Traceback" in line["exception"]


@pytest.mark.usefixtures("_restore_logging")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_traceback_of_an_unexpected_error_has_the_request_id(database: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The problem document promises it; the line itself is written by uvicorn."""
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
    logged = [line for line in parsed(capfd.readouterr().err) if line.get("request_id") == "broken-1"]
    assert [line["status"] for line in logged if line["event"] == "request"] == [500]
    assert any("ZeroDivisionError" in line.get("exception", "") for line in logged)
