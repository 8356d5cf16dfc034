"""The wheel of the client, and an environment with nothing but the client and its dependencies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.packages import PACKAGES
from tests.support.service import CHECKOUT

_NO_REGISTRY = ("NewConnectionError", "Temporary failure in name resolution", "Max retries exceeded", "ProxyError")


def build_wheel(source: Path, out: Path) -> Path:
    """Build the wheel into `out`, from a copy of the checkout with all of its packages in `source`."""
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name in PACKAGES:
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out)]
    run(sys.executable, "-m", "pip", "wheel", *options, str(source))
    (wheel,) = out.iterdir()
    return wheel


def install_client(wheel: Path, venv: Path) -> Path:
    """Install the wheel and its locked dependencies in a new environment; return its `bin` folder.

    Skip the test where no package registry answers.
    """
    run(sys.executable, "-m", "venv", venv)
    pip = (venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    completed = attempt(*pip, "--require-hashes", "-r", CHECKOUT / "requirements" / "forger.lock")
    if completed.returncode and any(message in completed.stderr for message in _NO_REGISTRY):
        pytest.skip(f"The client was not installed: no package registry answers ({completed.stderr.splitlines()[-1]})")
    assert completed.returncode == 0, completed.stderr
    run(*pip, "--no-index", wheel)
    return venv / "bin"


def attempt(*command: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment without a checkout and with no settings but `env`."""
    base = {name: os.environ[name] for name in os.environ if not name.startswith(("FORGER_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=base | env, capture_output=True, text=True, check=False)


def run(*command: str | Path, cwd: Path | None = None, **env: str) -> str:
    """Run the command, which must succeed, in such an environment; return its output."""
    completed = attempt(*command, cwd=cwd, **env)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout
