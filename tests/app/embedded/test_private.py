"""A service keeps its secrets and its files to itself: real processes, and what they hold."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from app.core import machine
from app.core.sandbox import environment
from app.core.sandbox.private import private_folder
from tests.conftest import StartService
from tests.support.service import CHECKOUT, Service
from tests.support.wait import until

KEY = "a-secret-key"
SECRETS = {"FORGER_API_KEY": KEY, "AWS_SECRET_ACCESS_KEY": "the-key-of-a-store"}


def finds(process: psutil.Process) -> set[str]:
    """The secrets in its environment. Where root's eyes are needed to see it, none is seen."""
    try:
        environment = process.environ()
    except psutil.AccessDenied:
        assert os.geteuid() != 0
        return set()
    return {name for name in (*SECRETS, "REDIS_URL") if name in environment}


@pytest.fixture(scope="module")
def keyed(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """In a home that others could enter, as one of an older version is."""
    home = tmp_path_factory.mktemp("open") / "home"
    (home / "logs").mkdir(parents=True)
    home.chmod(0o755)
    service = start_service(home, **SECRETS)
    service.client.headers["Authorization"] = f"Bearer {KEY}"
    return service


def test_no_child_has_a_secret_that_it_does_not_need(keyed: Service) -> None:
    job = keyed.post(recipe="gan", dataset="ring8", budget={"steps": 1_000_000})
    keyed.client.post("/datasets", files={"file": b"no zip"}, data={"name": "none"})  # starts a child that reads
    runner = until(lambda: keyed.runner(job))
    until(lambda: keyed.job(job)["progress"]["step"] > 0)
    api, worker, redis = keyed.find("uvicorn"), keyed.worker(), keyed.find("redis-server")
    assert runner is not None
    assert api is not None
    assert worker is not None
    assert redis is not None
    assert finds(api) == ({"FORGER_API_KEY"} if os.geteuid() == 0 else set())
    readers = api.children(recursive=True)
    assert readers
    for process in (worker, runner, redis, *readers, *runner.children(recursive=True)):
        assert finds(process) == set(), process.cmdline()
    keyed.client.post(f"/jobs/{job}/cancel")
    keyed.wait_for(job, "cancelled")


def test_what_it_writes_is_its_users_alone(keyed: Service) -> None:
    job = keyed.post(recipe="gan", dataset="ring8", budget={"steps": 2})
    keyed.wait_for(job, "succeeded")
    assert {"artifacts", "checkpoints", "logs", "forger.db"} <= {path.name for path in keyed.home.iterdir()}
    given = {"serve.log", "serve.out", "logs"}
    written = [path for path in keyed.home.rglob("*") if path.relative_to(keyed.home).as_posix() not in given]
    assert [path for path in written if path.stat().st_mode & 0o077] == []
    assert '"event": "home_readable_by_others"' in keyed.log.read_text(), (
        "with our log in it, the home is not the service's to close"
    )
    assert keyed.redis_socket.stat().st_mode & 0o077 == 0


def test_a_runner_of_an_ordinary_user_starts(tmp_path: Path) -> None:
    """What a process has closed to others it can no longer write itself, unless it is root: as root become nobody."""
    code = """
import ctypes, os, sys
from pathlib import Path
from worker.runners import main as runner

if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1)
try:
    runner.main("job_none", 1)
except Exception as error:
    print(repr(error), file=sys.stderr)
print(Path("/proc/self/oom_score_adj").read_text().strip(), Path("/proc/self/environ").stat().st_uid, file=sys.stderr)
"""
    env = environment.select(environment.PYTHON, FORGER_HOME=str(tmp_path), PYTHONPATH=str(CHECKOUT))
    # Its stdin stays open meanwhile: without it a runner ends.
    command = [sys.executable, "-P", "-c", code]
    with subprocess.Popen(
        command, env=env, cwd=CHECKOUT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as own:
        assert own.stderr is not None
        said = own.stderr.read()
    assert said.splitlines()[-1].split() == [str(machine.OOM_SCORE_ADJ), "0"], said


def test_a_home_is_closed_where_it_is_ours_alone(tmp_path: Path) -> None:
    new, old, shared = tmp_path / "a" / "new", tmp_path / "old", tmp_path / "shared"
    assert private_folder(new)
    for folder, file in ((old, "forger.db"), (shared, "somebody's")):
        folder.mkdir()
        folder.chmod(0o755)
        (folder / file).touch()
    assert private_folder(old)
    assert not private_folder(shared), "it holds what is not ours: said, not changed"
    assert [folder.stat().st_mode & 0o777 for folder in (new, old, shared)] == [0o700, 0o700, 0o755]
