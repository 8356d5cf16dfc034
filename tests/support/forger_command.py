"""The command `forger` in a process of its own."""

import subprocess
import sys

from tests.support.service import CHECKOUT


def run_forger(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run `forger ...` in the checkout until it ends; its exit status may be any."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "forger", *words],
        env=env,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
