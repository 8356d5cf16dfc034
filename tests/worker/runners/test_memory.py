"""Real runners under a memory limit: one that needs more says so, and the kernel would end it before others."""

from pathlib import Path

import pytest

from app.core.machine import OOM_SCORE_ADJ
from app.core.settings import get_settings
from app.services.jobs import attempts, lifecycle
from bench import estimates
from forger.wire import JobState
from models.spec.families import FAMILIES
from tests.support.jobs import make_job
from worker.runner_process import RunnerProcess


@pytest.fixture(scope="module")
def backend() -> str:
    """What is tested here is the runner's own."""
    return "sqlite"


def score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.processes
def test_a_runner_beyond_its_limit_fails_the_job_in_words(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker on a machine of little memory, and a job that an API elsewhere let in."""
    monkeypatch.setenv("FORGER_MAX_MEMORY_BYTES", str(256 << 20))
    job = make_job("gan", steps=3, generator={"hidden": [8192, 8192]}, critic={"hidden": [8192, 8192]})
    assert attempts.claim(job.id, "tests") is not None
    runner, scores = RunnerProcess(job.id, 1, get_settings().logs / "runner.log"), set()
    try:
        while (status := runner.wait(0.05)) is None:
            if Path(f"/proc/{runner.pid}").exists():
                scores.add(score(runner.pid))
    finally:
        runner.kill()
        runner.close()
    ended = lifecycle.get(job.id)
    assert ended.status_reason is not None
    assert (status, ended.state, ended.status_reason.code) == (0, JobState.FAILED, "out_of_memory")
    assert "use a smaller batch_size" in ended.status_reason.message
    assert OOM_SCORE_ADJ in scores


@pytest.mark.processes
def test_a_family_at_its_own_size_takes_no_more_than_estimated(database: Path) -> None:
    holds("cdcgan", {})


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("larger", [False, True])
def test_no_family_takes_more_than_estimated_nor_less_than_half(database: Path, family: str, larger: bool) -> None:
    holds(family, estimates.LARGER[family] if larger else {})


def holds(family: str, overrides: estimates.Overrides) -> None:
    """Another torch, or more threads, may take tens of MiB more before it computes."""
    peak, job = estimates.run(estimates.recipe_of(family, overrides))
    told = lifecycle.get(job).estimate
    assert told is not None
    assert peak.memory_bytes <= told.memory_bytes <= 2 * peak.memory_bytes
    assert peak.disk_bytes <= told.disk_bytes
