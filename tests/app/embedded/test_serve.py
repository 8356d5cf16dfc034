"""`forger serve`: it starts, refuses with one sentence, restarts its children and leaves no process behind."""

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartService
from tests.support.forger_command import run_forger
from tests.support.processes import all_ended
from tests.support.service import Service
from tests.support.wait import until

pytestmark = pytest.mark.processes


@pytest.fixture
def service(start_service: StartService) -> Iterator[Service]:
    """A service that the test may kill."""
    service = start_service()
    yield service
    service.stop()


def refused(service: Service, **settings: str) -> str:
    """Return the last line that `forger serve` prints when it exits with status 2."""
    process = run_forger({**service.env(), **settings}, "serve")
    assert process.returncode == 2, process.stderr
    return process.stderr.strip().splitlines()[-1]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_the_service_and_its_children(service: Service, number: signal.Signals) -> None:
    children = service.descendants()
    assert len(children) >= 3
    assert service.process is not None
    service.process.send_signal(number)
    assert service.process.wait(60) == 0
    assert all_ended(children)
    assert not (service.home / "service.json").exists()


def test_service_json_and_output_name_the_address(service: Service) -> None:
    assert service.process is not None
    assert json.loads((service.home / "service.json").read_text()) == {
        "url": service.url,
        "pid": service.process.pid,
    }
    until(lambda: service.output.read_text().endswith(f"Forger serves at {service.url} (home {service.home}).\n"))
    assert service.output.read_text().count("\n") == 1
    assert "Running upgrade" not in service.log.read_text()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("words", [("uvicorn",), ("worker.celery_app",), ("redis-server",)])
def test_dead_child_is_restarted(service: Service, words: tuple[str, ...]) -> None:
    first = until(lambda: service.find(*words))
    assert first is not None
    first.kill()
    second = until(lambda: (found := service.find(*words)) is not None and found.pid != first.pid and found)
    assert second
    until(service.ready)


def test_children_of_a_killed_service_end_and_its_home_is_free(service: Service) -> None:
    children = service.descendants()
    service.kill()
    until(lambda: all_ended(children), within_s=5)
    service.start()


def test_second_service_on_the_same_home_is_refused(service: Service) -> None:
    assert "Another forger serves from" in refused(service)
    assert service.ready()


def test_port_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    service = Service(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        sentence = refused(service, FORGER_PORT=str(taken.getsockname()[1]))
    assert "set FORGER_PORT to another" in sentence
    assert not (tmp_path / "home" / "forger.db").exists()


def test_public_address_without_a_key_is_refused(tmp_path: Path) -> None:
    assert "set FORGER_API_KEY first" in refused(Service(tmp_path / "home"), FORGER_HOST="0.0.0.0")


def test_socket_path_too_long_for_redis_is_refused(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    deep.mkdir()
    assert "longer than 100 characters" in refused(Service(tmp_path / "home"), XDG_RUNTIME_DIR=str(deep))


def test_two_services_run_on_one_machine(service: Service, start_service: StartService) -> None:
    other = start_service()
    assert service.ready()
    assert other.ready()
    assert service.url != other.url
    assert other.stop() == 0
    assert service.ready()
