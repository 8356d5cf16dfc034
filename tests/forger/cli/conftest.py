"""Commands as a person runs them: in a process of their own, without a terminal, beside a real service."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.service import CHECKOUT, Service

Ran = subprocess.CompletedProcess[str]
Run = Callable[..., Ran]
COMMAND = [sys.executable, "-P", "-m", "forger"]


@pytest.fixture
def run(service: Service, tmp_path: Path) -> Run:
    """Runs `forger ...` in a folder of the test's own; it finds the service by its home."""
    return lambda *words, **env: forger(tmp_path, service.env() | env, *words)


def forger(folder: Path, env: dict[str, str], *words: str) -> Ran:
    done = subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        env=env | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def good(done: Ran) -> str:
    """What a command said that did what it was asked."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(done: Ran) -> str:
    """The one line of a command that could not."""
    assert done.returncode == 2, done.stdout + done.stderr
    (sentence,) = done.stderr.splitlines()
    return sentence
