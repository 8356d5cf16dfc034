"""How many threads a job takes, and that neither a runner's environment nor cores of their own change a number."""

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
TRAINING = """
import os, sys
from pathlib import Path
from tests.worker.training.test_exactness import Notes, run, small
from worker.training import numerics

folder, recipe = Path(sys.argv[1]), small("cdcgan")
settled = numerics.local_numerics("cpu", recipe, len(os.sched_getaffinity(0)))
numerics.apply(settled)
if sys.argv[2] == "held":
    before = os.sched_getaffinity(0)
    numerics.pin_threads(settled)
    assert len(os.sched_getaffinity(0)) == 1, "the first thread roams"
    held = [os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")]
    assert all({core} in held for core in before), held
notes = Notes()
run(recipe, folder, notes)
print(notes.checkpoints[-1].sha256)
"""


@pytest.mark.processes
@pytest.mark.skipif(CORES == 1, reason="one core is nobody's own")
def test_held_cores_and_the_environment_of_a_runner_change_no_number(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", "free", {})
    assert trained(tmp_path / "held", "held", TUNING_ENVIRONMENT) == plain


def trained(folder: Path, way: str, environment: dict[str, str]) -> str:
    """The hash of the last checkpoint."""
    command = [sys.executable, "-c", TRAINING, str(folder), way]
    env = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"} | environment
    folder.mkdir()
    return subprocess.run(command, check=True, env=env, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True).stdout


def test_threads_suit_the_recipe_and_are_shared_out_among_slots() -> None:
    def threads(family: str, dataset: str = "digits", slots: int = 1, given: int | None = None) -> int:
        recipe = resolve(family, dataset=dataset, seed=1)[1]
        return numerics.local_numerics("cpu", recipe, given, slots=slots).threads

    assert threads("gan", "ring8") == 1
    assert threads("cdcgan") == min(2, CORES)
    assert threads("cyclegan", "day2night", slots=CORES) == 1
    assert threads("cdcgan", slots=CORES) == 1
    assert threads("cdcgan", slots=CORES + 1) == 1
    assert threads("cdcgan", slots=CORES, given=3) == 3
