"""Run `forger serve`: API, worker and embedded Redis as one service with one home; or one part, for containers."""

import fcntl
import http.client
import ipaddress
import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Literal, NoReturn

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app.core.disk_full import no_room
from app.core.logging import configure, get_logger
from app.core.sandbox import environment, private
from app.core.settings import CHECKOUT, Settings
from app.db import migrate
from app.embedded import processes, redis
from app.embedded.processes import CannotServe, Child
from app.embedded.reachable import WILDCARD_ADDRESSES, url_host, urls
from app.services import plugins
from forger import wire
from models.spec.plugins import PluginFailed

log = get_logger(__name__)
Part = Literal["api", "worker", "inference"]
PART_ENVIRONMENTS = {"api": environment.API, "worker": environment.WORKER, "inference": environment.INFERENCE}
"""environment variables of each part"""

WATCH_INTERVAL_S = 0.2
PROBE_TIMEOUT_S = 1.0
API_GRACE_S = 2
WORKER_EXTRA_GRACE_S = 8.0
"""seconds that the worker has in addition to its own grace before it is killed"""


@contextmanager
def refuse_if_disk_full() -> Iterator[None]:
    """Raise CannotServe if the block runs out of disk space."""
    try:
        yield
    except (OSError, SQLAlchemyError) as error:
        if (refusal := no_room(error)) is None:
            raise
        raise CannotServe(refusal.detail) from error


@refuse_if_disk_full()
def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Run the service until SIGTERM, SIGINT or SIGHUP, then stop every child. Raises CannotServe with a sentence."""
    private.harden_process()
    configure(settings.log_level, "serve")
    check_exposure(settings)
    check_plugins(settings)
    stop = _stop_on_signals()
    with home_lock(settings.home), listening(settings) as listener:
        port = listener.getsockname()[1]
        url = f"http://{url_host(WILDCARD_ADDRESSES.get(settings.host, settings.host))}:{port}"
        migrate_database()
        parts, broker = _children(settings, listener)
        with _service_file(settings.home / wire.SERVICE_FILE, url):
            try:
                for child in (*broker, *parts):
                    child.start()
                _watch((*broker, *parts), stop, until=lambda: _answers(settings.host, listener))
                if not stop.is_set():
                    announce(f"Forger serves at {' and '.join(urls(settings, port))} (home {settings.home}).")
                _watch((*broker, *parts), stop, until=lambda: False)
            finally:
                processes.stop(parts, settings.stop_grace_s + WORKER_EXTRA_GRACE_S)
                processes.stop(broker, 3.0)


def _watch(children: Sequence[Child], stop: threading.Event, *, until: Callable[[], bool]) -> None:
    """Restart children that died, until the condition holds or the service is to stop."""
    while not until() and not stop.wait(WATCH_INTERVAL_S):
        for child in children:
            child.watch()


def _answers(host: str, listener: socket.socket) -> bool:
    """Return whether the API answers a request. A connection proves nothing: the socket listens before it starts."""
    name, port = WILDCARD_ADDRESSES.get(host, host), listener.getsockname()[1]
    connection = http.client.HTTPConnection(name, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@refuse_if_disk_full()
def run_part(settings: Settings, part: Part) -> NoReturn:
    """Turn this process into one part of a service whose other parts run elsewhere. Raises CannotServe."""
    private.harden_process()
    configure(settings.log_level, "serve")
    if part == "api":
        check_exposure(settings)
    check_plugins(settings)
    private_home(settings.home)
    migrate_database()
    address = ("--host", settings.host, "--port", str(settings.port))
    command = _api(settings, *address) if part == "api" else _worker(settings, part)
    os.execve(command[0], command, _environment(part, settings, settings.port))


def migrate_database() -> None:
    """Migrate the database to its newest revision. Raises CannotServe if it cannot be migrated or does not answer."""
    try:
        migrate.upgrade()
    except migrate.TooNew as error:
        raise CannotServe(str(error)) from error
    except OperationalError as error:
        if no_room(error):
            raise
        raise CannotServe(
            f"The database does not answer ({error.orig}): start it, or check DATABASE_URL, and try again."
        ) from error


def check_exposure(settings: Settings) -> None:
    if settings.api_key is None and not is_loopback(settings.host):
        raise CannotServe(
            f"FORGER_HOST={settings.host} is open to other machines: set FORGER_API_KEY first, or listen on 127.0.0.1."
        )


def check_plugins(settings: Settings) -> None:
    try:
        plugins.load(settings)
    except PluginFailed as error:
        raise CannotServe(str(error)) from error


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def private_home(home: Path) -> None:
    """Make the home private before the first file is written; log a warning if that is not possible."""
    if not private.private_folder(home):
        log.warning("home_readable_by_others", home=str(home), advice=f"Other users can enter it: chmod 700 {home}")


@contextmanager
def home_lock(home: Path) -> Iterator[None]:
    """Lock the home during the block. Raises CannotServe if another service runs from it."""
    private_home(home)
    with (home / "service.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CannotServe(
                f"Another forger serves from {home}: stop it, or set FORGER_HOME to another folder."
            ) from None
        yield


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Yield the listening socket, which is bound before any part starts and stays open while the API restarts."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it. uvicorn assumes that --fd is a unix socket, so it would not set TCP_NODELAY.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(1024)
        except (OSError, socket.gaierror) as error:
            raise CannotServe(
                f"Cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
                "stop what uses the port, or set FORGER_PORT to another (0 takes a free one)."
            ) from error
        yield listener


def _children(settings: Settings, listener: socket.socket) -> tuple[list[Child], list[Child]]:
    """Return API, worker and, if configured, inference worker; and the embedded Redis unless REDIS_URL is set."""
    port, fd = listener.getsockname()[1], listener.fileno()
    api = _api(settings, "--fd", str(fd))
    worker = _worker(settings, "worker")
    parts = [
        Child("api", lambda: api, _environment("api", settings, port), pass_fds=(fd,)),
        Child("worker", lambda: worker, _environment("worker", settings, port)),
    ]
    if settings.inference == "workers":
        inference = _worker(settings, "inference")
        parts.append(Child("inference", lambda: inference, _environment("inference", settings, port)))
    if settings.redis_url is not None:
        return parts, []
    mute = settings.log_level != "debug"
    broker = Child(
        "redis", lambda: redis.command(settings.redis_socket), environment.select(environment.REDIS), mute=mute
    )
    return parts, [broker]


def _api(settings: Settings, *address: str) -> list[str]:
    command = [sys.executable, "-P", "-m", "uvicorn", "app.main:create_app", "--factory", *address, "--no-access-log"]
    command += ["--http", "app.api.protocol:BoundedProtocol"]
    return [*command, "--timeout-graceful-shutdown", str(API_GRACE_S), "--log-level", settings.log_level]


def _worker(settings: Settings, part: Literal["worker", "inference"]) -> list[str]:
    module = "worker.celery_app" if part == "worker" else "worker.inference.worker"
    command = [sys.executable, "-P", "-m", "celery", "-q", "-A", module, "--skip-checks", "worker"]
    command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    return [*command, "--loglevel", settings.log_level, "-n", f"forger-{part}-{os.getpid()}@%h"]


def _environment(part: Part, settings: Settings, port: int) -> dict[str, str]:
    """Return the environment of one part, with only what it needs: only the API gets the key."""
    extra = {
        "FORGER_HOME": str(settings.home),
        "FORGER_PORT": str(port),
        "PYTHONPATH": environment.python_path(CHECKOUT),
        # An OpenMP thread that spins while it waits starves the other process that computes.
        "GOMP_SPINCOUNT": "0",
    }
    return environment.select(PART_ENVIRONMENTS[part], **extra)


@contextmanager
def _service_file(file: Path, url: str) -> Iterator[None]:
    """Keep a file with the service's address, {"url", "pid"}, for clients and scripts until the block ends."""
    incoming = file.with_suffix(".incoming")
    incoming.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    incoming.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    return stop
