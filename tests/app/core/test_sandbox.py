"""Sandboxed child processes: the values they return, their limits, and their replacement when they break."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import psutil
import pytest

from app.core.errors import FieldError, Invalid, UnsupportedMedia
from app.core.machine import OOM_SCORE_ADJ
from app.core.sandbox.child import __name__ as child_module
from app.core.sandbox.parent import Overran, Sandbox
from app.core.settings import CHECKOUT
from tests.support import strange
from tests.support.wait import until


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    created = Sandbox(1, memory_bytes=512 << 20, module=strange.__name__)
    yield created
    created.close()


def _env() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def test_values_bytes_and_arrays_are_returned(sandbox: Sandbox) -> None:
    assert sandbox.run(strange.echo, {"a": [1, "é", None]}) == {"a": [1, "é", None]}
    assert sandbox.run(strange.echo, b"\x00\xff") == b"\x00\xff"
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(sandbox.run(strange.echo, pixels), pixels)


def test_child_is_a_likelier_oom_victim_than_its_parent(sandbox: Sandbox) -> None:
    sandbox.run(strange.echo, 1)
    (child,) = (child for child in psutil.Process().children() if "app.core.sandbox.child" in child.cmdline())
    oom_scores = [int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in (os.getpid(), child.pid)]
    assert oom_scores[0] < oom_scores[1] == OOM_SCORE_ADJ


def test_large_array_is_returned_complete(sandbox: Sandbox) -> None:
    pixels = sandbox.run(strange.pixels, 5000)
    assert pixels.shape == (5000, 5000, 3)
    assert (pixels == 7).all()


def test_errors_for_clients_are_raised_in_the_parent(sandbox: Sandbox) -> None:
    with pytest.raises(UnsupportedMedia) as caught:
        sandbox.run(strange.refuse)
    assert (caught.value.detail, caught.value.code) == ("No picture.", "none")
    assert caught.value.errors == (FieldError("/here", "No picture."),)


def test_bug_in_a_child_raises_runtime_error(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        sandbox.run(strange.mistake)


@pytest.mark.parametrize(
    ("work", "message"), [(strange.hang, "longer than 0.5 s"), (strange.eat, "512 MiB"), (strange.die, "crashed")]
)
def test_child_that_breaks_is_reported_and_replaced(sandbox: Sandbox, work: strange.Work, message: str) -> None:
    old_pid = sandbox.run(strange.who)
    seconds = 0.5 if work is strange.hang else 20
    with pytest.raises(Overran, match=message) as caught:
        sandbox.run(work, seconds=seconds, code="bad", pointer="/here")
    assert isinstance(caught.value, Invalid)
    assert (caught.value.code, caught.value.errors[0].pointer) == ("bad", "/here")
    assert sandbox.run(strange.who) != old_pid
    assert not psutil.pid_exists(old_pid)


def test_work_over_the_processor_time_limit_is_ended(sandbox: Sandbox) -> None:
    with pytest.raises(Overran, match=r"more than 0\.3 s of processor time \(reading_cpu_seconds\)"):
        sandbox.run(strange.compute, seconds=60, cpu_seconds=0.3)
    assert sandbox.run(strange.echo, 1) == 1


def test_child_killed_while_idle_is_replaced(sandbox: Sandbox) -> None:
    child = psutil.Process(sandbox.run(strange.who))
    child.kill()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert sandbox.run(strange.echo, 1) == 1


def test_one_child_serves_several_calls(sandbox: Sandbox) -> None:
    assert sandbox.run(strange.who) == sandbox.run(strange.who)


def test_children_cannot_write_files_and_get_no_secrets(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORGER_API_KEY", "secret")
    with pytest.raises(Overran):
        sandbox.run(strange.die)
    assert "FORGER_API_KEY" not in sandbox.run(strange.environment)
    with pytest.raises((Overran, RuntimeError)):
        sandbox.run(strange.write, tmp_path / "file")
    assert not (tmp_path / "file").exists() or (tmp_path / "file").stat().st_size == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_environment_of_a_process_with_a_sandbox_is_unreadable_to_its_user() -> None:
    """Root can read everything, so a test run by root becomes the user nobody and makes its process dumpable again."""
    code = """
import ctypes, os, subprocess
from prometheus_client import ProcessCollector
from app.core.sandbox.parent import Sandbox

def secret_readable():
    grep = ["grep", "-q", "-s", "a-secret", f"/proc/{os.getpid()}/environ"]
    return subprocess.run(grep).returncode == 0

if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    ctypes.CDLL(None).prctl(4, 1)
before = secret_readable()
Sandbox(1)
print(before, secret_readable(), len(list(ProcessCollector(registry=None).collect())))
"""
    env = _env() | {"FORGER_API_KEY": "a-secret"}
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.split() == ["True", "False", "6"], "/metrics must still show the process's own figures"


def test_close_ends_children_and_their_work() -> None:
    closed = Sandbox(1, module=strange.__name__)
    pid = closed.run(strange.who)

    def work() -> None:
        with contextlib.suppress(Overran, CancelledError, RuntimeError):
            closed.run(strange.hang, seconds=100)

    thread = threading.Thread(target=work)
    thread.start()
    closed.close()
    thread.join(20)
    assert not thread.is_alive()
    assert not psutil.pid_exists(pid)


def test_children_end_with_their_parent() -> None:
    code = (
        "import threading; from app.core.sandbox.parent import Sandbox; from tests.support import strange\n"
        "sandbox = Sandbox(1, module=strange.__name__)\n"
        "print(sandbox.run(strange.who), flush=True); sandbox.run(strange.hang, seconds=100)"
    )
    parent = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, env=_env(), cwd=CHECKOUT)
    assert parent.stdout is not None
    with parent.stdout:
        child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_children_import_no_heavy_package() -> None:
    names = ("torch", "sqlalchemy", "fastapi", "starlette", "pydantic", "celery")
    code = f"import sys, {child_module}; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, env=_env(), check=True)
    assert done.stdout.strip() == "[]"
