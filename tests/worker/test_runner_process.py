"""A runner's process as its supervisor uses it."""

from pathlib import Path

import pytest

from worker.runner_process import RunnerProcess
from worker.runners.supervisor_link import EXIT_DATABASE_LOST

LONG_S = 600.0
"""longer than any test"""


@pytest.mark.processes
def test_wait_returns_as_soon_as_the_runner_ends(home: Path) -> None:
    """There is no database: the runner sends its first heartbeat, fails and ends."""
    runner = RunnerProcess("job_unknown", 1, home / "runner.log")
    try:
        while (status := runner.wait(LONG_S)) is None:
            pass
        assert status == EXIT_DATABASE_LOST
        assert runner.wait(LONG_S) == EXIT_DATABASE_LOST
    finally:
        runner.kill()
        runner.close()
