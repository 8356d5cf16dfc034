"""Confinement of sandboxed children: attacks by a hijacked child on real processes, sockets and files fail."""

import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.core.sandbox import landlock
from app.core.sandbox.parent import Sandbox
from app.core.settings import CHECKOUT
from tests.conftest import StartService
from tests.support import probe, without_landlock, without_seccomp
from tests.support.probe import DONE, Targets

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"), reason="no seccomp"),
]
KEY = "a-secret-key"
READING = {"read another's environment", "read a file outside", "read the accounts", "list a folder outside"}
"""attacks that seccomp cannot tell from reading code"""
SOCKETS_AND_PROCESSES = {
    "connect to Redis", "bind an abstract socket", "change a mode", "fork", "use io_uring", "make a user namespace",
    "have signals sent", "hold a handle of another",
}  # fmt: skip
"""attacks that no version of Landlock forbids"""
SINCE = {"connect TCP": 4, "bind TCP": 4, "kill another": 6}
"""the version of Landlock that first forbids it"""
NOT_EVERYWHERE = {"use io_uring", "make a user namespace", "trace another"}
"""attacks that a machine may forbid to every process"""


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    """Return stand-ins for a service's process, files and sockets: a successful attack does no harm."""
    for name in ("file", "spare"):
        (tmp_path / name).write_text("theirs")
    unix = str(tmp_path / "socket")
    process = subprocess.Popen(["sleep", "600"], env={"PATH": os.environ["PATH"], "SECRET": KEY})
    with socket.socket(socket.AF_UNIX) as redis, socket.create_server(("127.0.0.1", 0)) as server:
        redis.bind(unix)
        redis.listen()
        yield Targets(process.pid, tmp_path / "file", unix, server.getsockname()[1])
    process.kill()
    process.wait()


def outcomes(sandbox: Sandbox, targets: Targets) -> dict[str, str]:
    results: dict[str, str] = sandbox.run(probe.attempts, targets)
    return results


def succeeded(results: dict[str, str]) -> set[str]:
    return {name for name, outcome in results.items() if outcome == DONE}


def test_probe_succeeds_at_every_attack_when_unconfined(targets: Targets) -> None:
    code = f"import json; from tests.support.probe import *; print(json.dumps(attempts({targets!r})))"
    code = code.replace("PosixPath", "Path")
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    process = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    results: dict[str, str] = json.loads(process.stdout)
    assert set(results) - succeeded(results) <= NOT_EVERYWHERE, results


def test_child_cannot_attack_a_running_service(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(FORGER_API_KEY=KEY)
    worker = service.worker()
    assert worker is not None
    file = service.home / "service.json"
    targets = Targets(worker.pid, file, str(service.redis_socket), int(service.url.rpartition(":")[2]))
    with closing(Sandbox(1, module=probe.__name__)) as sandbox:
        missing, results = sandbox.missing_layers(), outcomes(sandbox, targets)
    allowed = (READING if "landlock" in missing else set()) | (SOCKETS_AND_PROCESSES if "seccomp" in missing else set())
    assert succeeded(results) <= allowed, results
    assert worker.is_running()
    assert service.ready()
    if missing:
        pytest.skip(f"This kernel lacks {missing}; the other layers blocked what they can.")


def test_seccomp_alone_blocks_everything_but_reading(targets: Targets) -> None:
    with closing(Sandbox(1, module=without_landlock.__name__)) as sandbox:
        missing = sandbox.missing_layers()
        if "seccomp" in missing:
            pytest.skip("This kernel has no seccomp filters.")
        assert missing == ["landlock"]
        results = outcomes(sandbox, targets)
    assert succeeded(results) == READING, results
    assert {outcome for outcome in results.values() if outcome != DONE} == {"EPERM"}


def test_landlock_alone_blocks_files_programs_and_tcp(targets: Targets) -> None:
    version = landlock.version()
    if not version:
        pytest.skip("This kernel has no Landlock.")
    with closing(Sandbox(1, module=without_seccomp.__name__)) as sandbox:
        assert sandbox.missing_layers() == ["seccomp"]
        results = outcomes(sandbox, targets)
    not_yet_forbidden = {name for name, since in SINCE.items() if version < since}
    assert succeeded(results) <= SOCKETS_AND_PROCESSES | not_yet_forbidden, results


def test_child_reads_only_the_paths_its_sandbox_allows(tmp_path: Path) -> None:
    if not landlock.version():
        pytest.skip("This kernel has no Landlock.")
    for name in ("own", "beside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"read")
    single = tmp_path / "beside" / "single"
    single.write_bytes(b"one")
    with closing(Sandbox(1, readable=(tmp_path / "own", single), module=probe.__name__)) as sandbox:
        assert sandbox.run(Path.read_bytes, tmp_path / "own" / "file") == b"read"
        assert sandbox.run(Path.read_bytes, single) == b"one"
        with pytest.raises(RuntimeError, match="PermissionError"):
            sandbox.run(Path.read_bytes, tmp_path / "beside" / "file")


def test_child_has_one_thread_before_it_confines_itself() -> None:
    """Landlock binds the calling thread and the threads it starts."""
    code = "import os; from data.uploads import read_untrusted; print(len(os.listdir('/proc/self/task')))"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "1"
