"""Threads: how many a job gets, and that neither pinned cores nor a runner's environment change a number."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT
from models.spec.resolve import resolve
from worker.runner_process import TUNING_ENVIRONMENT
from worker.training import numerics

CORES = len(os.sched_getaffinity(0))
TRAINING_PROGRAM = """
import os, sys
from pathlib import Path
from tests.support.recipes import small_recipe
from tests.support.training import RecordingListener, run_training
from worker.training import numerics

folder, recipe = Path(sys.argv[1]), small_recipe("cdcgan")
here = numerics.local_numerics("cpu", recipe, len(os.sched_getaffinity(0)))
numerics.apply(here)
if sys.argv[2] == "pinned":
    cores = os.sched_getaffinity(0)
    numerics.pin_threads(here)
    assert len(os.sched_getaffinity(0)) == 1, "the main thread is not pinned"
    by_thread = [os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")]
    assert all({core} in by_thread for core in cores), by_thread
listener = RecordingListener()
run_training(recipe, folder, listener)
print(listener.checkpoints[-1].sha256)
"""


@pytest.mark.processes
@pytest.mark.skipif(CORES == 1, reason="with one core there is nothing to pin")
def test_pinned_threads_and_the_runners_environment_change_no_weight(tmp_path: Path) -> None:
    unpinned = train_in_child(tmp_path / "unpinned", "unpinned", {})
    assert train_in_child(tmp_path / "pinned", "pinned", TUNING_ENVIRONMENT) == unpinned


def train_in_child(folder: Path, placement: str, environment: dict[str, str]) -> str:
    """Return the sha256 of the last checkpoint."""
    command = [sys.executable, "-c", TRAINING_PROGRAM, str(folder), placement]
    env = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"} | environment
    folder.mkdir()
    return subprocess.run(command, check=True, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True).stdout


def test_thread_count_follows_recipe_slots_and_setting() -> None:
    def threads(family: str, dataset: str = "digits", slots: int = 1, requested: int | None = None) -> int:
        recipe = resolve(family, dataset=dataset, seed=1)[1]
        return numerics.local_numerics("cpu", recipe, requested, slots=slots).threads

    assert threads("gan", "ring8") == 1
    assert threads("cdcgan") == min(2, CORES)
    assert threads("cyclegan", "day2night", slots=CORES) == 1
    assert threads("cdcgan", slots=CORES) == 1
    assert threads("cdcgan", slots=CORES + 1) == 1
    assert threads("cdcgan", slots=CORES, requested=3) == 3
