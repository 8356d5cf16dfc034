"""A runner as its supervisor sees it."""

from pathlib import Path

import pytest

from worker.runner_process import RunnerProcess
from worker.runners.supervisor_link import EXIT_DATABASE_LOST

LONG_S = 600.0
"""that no test waits for"""


@pytest.mark.processes
def test_the_end_of_a_runner_is_seen_when_it_comes(home: Path) -> None:
    """There is no database here: the runner says its first heartbeat, fails, and ends. Nobody sleeps beyond that."""
    runner = RunnerProcess("job_of_nobody", 1, home / "runner.log")
    try:
        while (status := runner.wait(LONG_S)) is None:
            pass
        assert status == EXIT_DATABASE_LOST
        assert runner.wait(LONG_S) == EXIT_DATABASE_LOST
    finally:
        runner.kill()
        runner.close()
