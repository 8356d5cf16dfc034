"""A child that a stranger has taken over tries what it could gain by, against real processes, sockets and files."""

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
"""which seccomp cannot tell from reading code"""
SOCKETS_AND_PROCESSES = {
    "connect to Redis", "bind an abstract socket", "change a mode", "fork", "use io_uring", "make a user namespace",
    "have signals sent", "hold a handle of another",
}  # fmt: skip
"""which no Landlock forbids"""
SINCE = {"connect TCP": 4, "bind TCP": 4, "kill another": 6}
"""the version of Landlock that first forbids it"""
NOT_EVERYWHERE = {"use io_uring", "make a user namespace", "trace another"}
"""which a machine may forbid to everybody"""


@pytest.fixture
def victims(tmp_path: Path) -> Iterator[Targets]:
    """Stands in for the service, so that what succeeds harms nobody."""
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
    found: dict[str, str] = sandbox.run(probe.attempts, targets)
    return found


def done(found: dict[str, str]) -> set[str]:
    return {name for name, outcome in found.items() if outcome == DONE}


def test_the_probe_can_do_all_of_it_where_nothing_holds_it(victims: Targets) -> None:
    code = f"import json; from tests.support.probe import *; print(json.dumps(attempts({victims!r})))"
    code = code.replace("PosixPath", "Path")
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    told = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(told.stdout)
    assert set(found) - done(found) <= NOT_EVERYWHERE, found


def test_a_child_can_do_nothing_to_a_running_service(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(FORGER_API_KEY=KEY)
    worker = service.worker()
    assert worker is not None
    file = service.home / "service.json"
    targets = Targets(worker.pid, file, str(service.redis_socket), int(service.url.rpartition(":")[2]))
    with closing(Sandbox(1, module=probe.__name__)) as sandbox:
        lacking, found = sandbox.missing_layers(), outcomes(sandbox, targets)
    allowed = (READING if "landlock" in lacking else set()) | (SOCKETS_AND_PROCESSES if "seccomp" in lacking else set())
    assert done(found) <= allowed, found
    assert worker.is_running()
    assert service.ready()
    if lacking:
        pytest.skip(f"This kernel lacks {lacking}: the other layers held what they can.")


def test_seccomp_holds_by_itself_all_but_reading(victims: Targets) -> None:
    with closing(Sandbox(1, module=without_landlock.__name__)) as sandbox:
        lacking = sandbox.missing_layers()
        if "seccomp" in lacking:
            pytest.skip("This kernel has no seccomp filters.")
        assert lacking == ["landlock"]
        found = outcomes(sandbox, victims)
    assert done(found) == READING, found
    assert {outcome for outcome in found.values() if outcome != DONE} == {"EPERM"}


def test_landlock_holds_by_itself_files_programs_and_tcp(victims: Targets) -> None:
    version = landlock.version()
    if not version:
        pytest.skip("This kernel has no Landlock.")
    with closing(Sandbox(1, module=without_seccomp.__name__)) as sandbox:
        assert sandbox.missing_layers() == ["seccomp"]
        found = outcomes(sandbox, victims)
    newer = {name for name, since in SINCE.items() if version < since}
    assert done(found) <= SOCKETS_AND_PROCESSES | newer, found


def test_a_child_reads_what_its_sandbox_names_and_not_beside_it(tmp_path: Path) -> None:
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


def test_a_child_has_one_thread_when_it_confines_itself() -> None:
    """Landlock binds the thread that asks for it and those it starts."""
    code = "import os; from data.uploads import read_untrusted; print(len(os.listdir('/proc/self/task')))"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "1"
