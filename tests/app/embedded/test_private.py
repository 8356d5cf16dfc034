"""Secrets and files of a service are private: each child's environment, file modes, and the home's."""

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


def visible_secrets(process: psutil.Process) -> set[str]:
    """Return the names of the secrets in its environment; none where only root may read it."""
    try:
        environment = process.environ()
    except psutil.AccessDenied:
        assert os.geteuid() != 0
        return set()
    return {name for name in (*SECRETS, "REDIS_URL") if name in environment}


@pytest.fixture(scope="module")
def service(start_service: StartService, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service with an API key, in a home that others can enter, as older versions left it."""
    home = tmp_path_factory.mktemp("open") / "home"
    (home / "logs").mkdir(parents=True)
    home.chmod(0o755)
    service = start_service(home, **SECRETS)
    service.client.headers["Authorization"] = f"Bearer {KEY}"
    return service


def test_child_processes_get_only_the_secrets_they_need(service: Service) -> None:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 1_000_000})
    service.client.post("/datasets", files={"file": b"no zip"}, data={"name": "none"})  # starts a child that reads
    runner = until(lambda: service.runner(job))
    until(lambda: service.job(job)["progress"]["step"] > 0)
    api, worker, redis = service.find("uvicorn"), service.worker(), service.find("redis-server")
    assert runner is not None
    assert api is not None
    assert worker is not None
    assert redis is not None
    assert visible_secrets(api) == ({"FORGER_API_KEY"} if os.geteuid() == 0 else set())
    readers = api.children(recursive=True)
    assert readers
    for process in (worker, runner, redis, *readers, *runner.children(recursive=True)):
        assert visible_secrets(process) == set(), process.cmdline()
    service.client.post(f"/jobs/{job}/cancel")
    service.wait_for(job, "cancelled")


def test_files_of_the_service_are_private_to_its_user(service: Service) -> None:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 2})
    service.wait_for(job, "succeeded")
    assert {"artifacts", "checkpoints", "logs", "forger.db"} <= {path.name for path in service.home.iterdir()}
    not_ours = {"serve.log", "serve.out", "logs"}
    written = [path for path in service.home.rglob("*") if path.relative_to(service.home).as_posix() not in not_ours]
    assert [path for path in written if path.stat().st_mode & 0o077] == []
    assert '"event": "home_readable_by_others"' in service.log.read_text(), (
        "a home with a foreign file (the test's log) stays open"
    )
    assert service.redis_socket.stat().st_mode & 0o077 == 0


def test_runner_of_an_ordinary_user_starts(tmp_path: Path) -> None:
    """A hardened process may write its own /proc files only as root, so a test run by root becomes the user nobody."""
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
    ) as runner:
        assert runner.stderr is not None
        output = runner.stderr.read()
    assert output.splitlines()[-1].split() == [str(machine.OOM_SCORE_ADJ), "0"], output


def test_private_folder_closes_only_a_home_of_its_own(tmp_path: Path) -> None:
    new, old, shared = tmp_path / "a" / "new", tmp_path / "old", tmp_path / "shared"
    assert private_folder(new)
    for folder, file in ((old, "forger.db"), (shared, "somebody's")):
        folder.mkdir()
        folder.chmod(0o755)
        (folder / file).touch()
    assert private_folder(old)
    assert not private_folder(shared), "a folder with foreign files is reported and not changed"
    assert [folder.stat().st_mode & 0o777 for folder in (new, old, shared)] == [0o700, 0o700, 0o755]
