"""`forger serve` as its user meets it: starts, refuses in a sentence, restarts its children, leaves none behind."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartService
from tests.support.service import CHECKOUT, Service
from tests.support.wait import until

pytestmark = pytest.mark.processes


@pytest.fixture
def own(start_service: StartService) -> Iterator[Service]:
    """A service that the test may hurt."""
    service = start_service()
    yield service
    service.stop()


def refused(service: Service, **settings: str) -> str:
    """What `forger serve` prints when it exits with status 2."""
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "forger", "serve"],
        env={**service.env(), **settings},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    return ended.stderr.strip().splitlines()[-1]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_order_and_leaves_nothing(own: Service, number: signal.Signals) -> None:
    children = own.descendants()
    assert len(children) >= 3
    assert own.process is not None
    own.process.send_signal(number)
    assert own.process.wait(60) == 0
    assert all_gone(children)
    assert not (own.home / "service.json").exists()


def test_service_json_says_where_it_is(own: Service) -> None:
    assert own.process is not None
    assert json.loads((own.home / "service.json").read_text()) == {"url": own.url, "pid": own.process.pid}
    until(lambda: own.said.read_text().endswith(f"Forger serves at {own.url} (home {own.home}).\n"))
    assert own.said.read_text().count("\n") == 1
    assert "Running upgrade" not in own.log.read_text()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("words", [("uvicorn",), ("worker.celery_app",), ("redis-server",)])
def test_a_dead_child_is_started_again(own: Service, words: tuple[str, ...]) -> None:
    first = until(lambda: own.find(*words))
    assert first is not None
    first.kill()
    second = until(lambda: (found := own.find(*words)) is not None and found.pid != first.pid and found)
    assert second
    until(own.ready)


def test_no_child_survives_a_killed_parent_and_the_home_is_free_at_once(own: Service) -> None:
    children = own.descendants()
    own.kill()
    until(lambda: all_gone(children), within_s=5)
    own.start()


def test_a_second_service_on_the_same_home_is_refused(own: Service) -> None:
    assert "Another forger serves from" in refused(own)
    assert own.ready()


def test_a_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sentence = refused(service, FORGER_PORT=str(taken.getsockname()[1]))
    assert "set FORGER_PORT to another" in sentence
    assert not (tmp_path / "home" / "forger.db").exists()


def test_a_public_address_without_a_key_is_refused(tmp_path: Path) -> None:
    assert "set FORGER_API_KEY first" in refused(Service(tmp_path / "home"), FORGER_HOST="0.0.0.0")


def test_a_socket_path_too_long_for_redis_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    assert "longer than 100 characters" in refused(Service(tmp_path / "home"), XDG_RUNTIME_DIR=str(deep))


def test_two_services_run_side_by_side(own: Service, start_service: StartService) -> None:
    other = start_service()
    assert own.ready()
    assert other.ready()
    assert own.url != other.url
    assert other.stop() == 0
    assert own.ready()
