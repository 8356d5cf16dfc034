"""Commands as a user runs them: in their own process, without a terminal, with a real service."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.service import CHECKOUT, Service

Completed = subprocess.CompletedProcess[str]
Run = Callable[..., Completed]
COMMAND = [sys.executable, "-P", "-m", "forger"]


@pytest.fixture
def run(service: Service, tmp_path: Path) -> Run:
    """Return a function that runs `forger ...` in the test's own folder; it finds the service by its home."""
    return lambda *words, **env: run_forger(tmp_path, service.env() | env, *words)


def run_forger(folder: Path, env: dict[str, str], *words: str) -> Completed:
    completed = subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=env | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "Traceback" not in completed.stderr, completed.stderr
    return completed


def output_of(completed: Completed) -> str:
    """Return the standard output of a command that succeeded."""
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


def refusal_of(completed: Completed) -> str:
    """Return the one line that a refused command writes to standard error."""
    assert completed.returncode == 2, completed.stdout + completed.stderr
    (sentence,) = completed.stderr.splitlines()
    return sentence
