"""Runners under a memory limit: one that needs more fails with a sentence, and estimates are not exceeded."""

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
    """Nothing here depends on the database."""
    return "sqlite"


def oom_score(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.processes
def test_runner_beyond_its_memory_limit_fails_the_job_with_a_sentence(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's machine has less memory than the job that an API elsewhere admitted needs."""
    monkeypatch.setenv("FORGER_MAX_MEMORY_BYTES", str(256 << 20))
    job = make_job("gan", steps=3, generator={"hidden": [8192, 8192]}, critic={"hidden": [8192, 8192]})
    assert attempts.claim(job.id, "tests") is not None
    runner, scores = RunnerProcess(job.id, 1, get_settings().logs / "runner.log"), set()
    try:
        while (status := runner.wait(0.05)) is None:
            if Path(f"/proc/{runner.pid}").exists():
                scores.add(oom_score(runner.pid))
    finally:
        runner.kill()
        runner.close()
    ended = lifecycle.get(job.id)
    assert ended.status_reason is not None
    assert (status, ended.state, ended.status_reason.code) == (0, JobState.FAILED, "out_of_memory")
    assert "use a smaller batch_size" in ended.status_reason.message
    assert OOM_SCORE_ADJ in scores


@pytest.mark.processes
def test_family_with_its_defaults_takes_no_more_than_estimated(database: Path) -> None:
    assert_within_estimate("cdcgan", {})


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("larger", [False, True])
def test_every_family_takes_between_half_and_all_of_its_estimate(database: Path, family: str, larger: bool) -> None:
    assert_within_estimate(family, estimates.LARGER[family] if larger else {})


def assert_within_estimate(family: str, overrides: estimates.Overrides) -> None:
    """Train and compare the peaks. Another torch, or more threads, may need tens of MiB more before any computation."""
    peak, job = estimates.run(estimates.recipe_of(family, overrides))
    estimate = lifecycle.get(job).estimate
    assert estimate is not None
    assert peak.memory_bytes <= estimate.memory_bytes <= 2 * peak.memory_bytes
    assert peak.disk_bytes <= estimate.disk_bytes
