"""Attempts: one at a time per job, fenced; others record the end of an attempt that is lost."""

import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import FencedOut
from app.core.settings import CHECKOUT, get_settings
from app.core.states import ACTIVE
from app.services.creation import train
from app.services.jobs import attempt_files, attempts, lifecycle
from app.services.jobs.attempt_files import FilesLost
from app.services.models import registry
from forger.wire import JobState
from models.spec.resolve import resolve
from tests.support.jobs import export_file, make_job, put_in, record_report

S = JobState
CLAIM_SCRIPT = """
import sys
from app.services.jobs import attempts
for job_id in sys.argv[1:]:
    if attempts.claim(job_id, "racer"):
        print(job_id)
"""
HEALTHY: dict[str, Any] = {"state": "healthy", "kind": None, "step": 8, "message": "No trouble was seen."}
TROUBLED: dict[str, Any] = {"state": "troubled", "kind": "collapse", "step": 4, "message": "It repeats itself."}
WRITES: dict[str, Callable[[str, int], object]] = {
    "renew": lambda job, fence: attempts.renew(job, fence, 1, None),
    "held": attempts.current_job,
    "numerics": lambda job, fence: attempts.agree_numerics(job, fence, {}),
    "budget": lambda job, fence: attempts.fix_budget(job, fence, 9),
    "event": lambda job, fence: attempts.record_event(job, fence, "health", {}),
    "best": lambda job, fence: attempts.record_best(job, fence, 1, "frechet", 4.0),
    "health": lambda job, fence: attempts.record_health(job, fence, HEALTHY),
    "measured": lambda job, fence: attempts.finish_evaluation(job, fence, {"frechet": 4.0}, {}, b"{}"),
    "rewind": lambda job, fence: attempts.rewind(job, fence, 0),
    "report": lambda job, fence: record_report(job, fence, 1, {"loss": 1.0}, b"png"),
    "checkpoint": lambda job, fence: attempts.record_checkpoint(job, fence, 1, "f", "0" * 64, 1),
    "succeed": lambda job, fence: attempts.finish_training(job, fence, export_file(), {}, step=20, figures={}),
    "fail": lambda job, fence: attempts.fail(job, fence, "internal_error", "It broke."),
    "stopped": attempts.stop,
    "lost": lambda job, fence: attempts.record_runner_loss(job, fence, "worker_lost", "It went."),
    "abandoned": lambda job, fence: attempts.record_worker_loss(job, fence, "worker_lost", "It went."),
}


def running_job() -> str:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    return job.id


def save_checkpoint(job_id: str, fence: int, step: int, file: str | None = None) -> Path:
    """Save the file and the row of a checkpoint; return the file."""
    path = get_settings().checkpoints(job_id) / (file or f"step-{step:09d}-a{fence}.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"state")
    attempts.record_checkpoint(job_id, fence, step, path.name, "0" * 64, 5)
    return path


def leave_unfinished(folder: Path, fence: int) -> set[Path]:
    """Create what a killed attempt may leave: a partial file, an unrecorded checkpoint and a working folder."""
    partial = folder / f".incoming-step-000000005-a{fence}.pt-x"
    unrecorded = folder / f"step-000000005-a{fence}.pt"
    working = folder / f"trial-a{fence}-x"
    working.mkdir()
    for path in (partial, unrecorded, working / "step-000000005-a0.pt"):
        path.write_bytes(b"state")
    return {partial, unrecorded, working}


@pytest.mark.processes
def test_racing_processes_claim_each_job_once(database: Path) -> None:
    ids = [make_job().id for _ in range(25)]
    racers = [
        subprocess.Popen([sys.executable, "-c", CLAIM_SCRIPT, *ids], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    won = [line for racer in racers for line in racer.communicate()[0].split()]
    assert sorted(won) == sorted(ids)
    assert {job.attempt for job in lifecycle.list_jobs(limit=100)[0]} == {1}


@pytest.mark.parametrize("state", sorted(set(JobState) - {S.QUEUED}))
def test_only_a_queued_job_can_be_claimed(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    assert attempts.claim(job.id, "tests") is None


@pytest.mark.sampled(24, quick=8)
@pytest.mark.parametrize(("write", "state"), [*product(WRITES, sorted(set(JobState) - ACTIVE))])
def test_writes_to_a_job_without_an_attempt_are_fenced_out(database: Path, write: str, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    before = lifecycle.get(job.id), lifecycle.events(job.id), lifecycle.metrics(job.id), lifecycle.artifacts(job.id)
    with pytest.raises(FencedOut):
        WRITES[write](job.id, 1)
    assert (
        lifecycle.get(job.id),
        lifecycle.events(job.id),
        lifecycle.metrics(job.id),
        lifecycle.artifacts(job.id),
    ) == before


@pytest.mark.parametrize("write", WRITES)
def test_writes_of_an_older_attempt_are_fenced_out(database: Path, write: str) -> None:
    job_id = running_job()
    attempts.record_runner_loss(job_id, 1, "worker_lost", "It went.")
    assert attempts.claim(job_id, "the next") is not None
    before = lifecycle.get(job_id), lifecycle.events(job_id)
    with pytest.raises(FencedOut):
        WRITES[write](job_id, 1)
    assert (lifecycle.get(job_id), lifecycle.events(job_id)) == before


def test_renewal_records_progress_and_returns_the_requested_state(database: Path) -> None:
    job_id = running_job()
    assert attempts.renew(job_id, 1, 3, 1.5) == S.RUNNING
    assert (lifecycle.get(job_id).step, lifecycle.get(job_id).eta_s) == (3, 1.5)
    lifecycle.pause(job_id)
    assert attempts.renew(job_id, 1, 3, 1.5) == S.PAUSING
    lifecycle.cancel(job_id)
    assert attempts.renew(job_id, 1, 3, 1.5) == S.CANCELLING


def test_late_heartbeat_does_not_lower_the_step(database: Path) -> None:
    job_id = running_job()
    record_report(job_id, 1, 9, {}, None)
    attempts.renew(job_id, 1, 7, None)
    assert lifecycle.get(job_id).step == 9


@pytest.mark.parametrize(
    ("order", "state"), [(None, S.QUEUED), (lifecycle.pause, S.PAUSED), (lifecycle.cancel, S.CANCELLED)]
)
@pytest.mark.parametrize("ending", ["stopped", "lost", "abandoned"])
def test_attempt_that_ends_puts_the_job_in_the_requested_state(
    database: Path, order: Callable[[str], object] | None, state: JobState, ending: str
) -> None:
    job_id = running_job()
    if order is not None:
        order(job_id)
    assert WRITES[ending](job_id, 1) == state
    assert lifecycle.get(job_id).state == state


def test_three_lost_runners_in_a_row_fail_the_job(database: Path) -> None:
    job_id = make_job().id
    for fence in (1, 2, 3):
        assert attempts.claim(job_id, "tests") is not None
        attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.")
    job = lifecycle.get(job_id)
    assert job.state == S.FAILED
    assert job.status_reason is not None
    assert job.status_reason.code == "worker_lost"
    assert "3 attempts in a row" in job.status_reason.message


def test_job_fails_only_after_many_lost_workers_in_a_row(database: Path) -> None:
    job_id = make_job().id
    for fence in range(1, attempts.MAX_WORKER_LOSSES):
        assert attempts.claim(job_id, "tests") is not None
        assert attempts.record_worker_loss(job_id, fence, "worker_lost", "The worker ended.") == S.QUEUED
    assert attempts.claim(job_id, "tests") is not None
    save_checkpoint(job_id, attempts.MAX_WORKER_LOSSES, 1)
    for more in range(attempts.MAX_WORKER_LOSSES):
        state = attempts.record_worker_loss(
            job_id, attempts.MAX_WORKER_LOSSES + more, "worker_lost", "The worker ended."
        )
        assert state == (S.FAILED if more == attempts.MAX_WORKER_LOSSES - 1 else S.QUEUED), "the count restarted"
        attempts.claim(job_id, "tests")
    reason = lifecycle.get(job_id).status_reason
    assert reason is not None
    assert f"{attempts.MAX_WORKER_LOSSES} attempts in a row" in reason.message


def test_only_a_later_checkpoint_resets_the_count_of_lost_runners(database: Path) -> None:
    job_id = make_job().id
    for fence in range(1, 6):  # each saves a later checkpoint
        assert attempts.claim(job_id, "tests") is not None
        save_checkpoint(job_id, fence, fence)
        assert attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.") == S.QUEUED
    for fence in (6, 7):
        assert attempts.claim(job_id, "tests") is not None
        save_checkpoint(job_id, fence, 5)
        state = attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.")
    assert state == S.FAILED


def test_first_attempt_fixes_the_numerics(database: Path) -> None:
    job_id = running_job()
    assert attempts.agree_numerics(job_id, 1, {"threads": 2}) == {"threads": 2}
    assert attempts.agree_numerics(job_id, 1, {"threads": 4}) == {"threads": 2}
    assert lifecycle.get(job_id).numerics == {"threads": 2}


@pytest.mark.parametrize(("minutes", "span"), [(1, "1 minute is"), (2, "2 minutes are")])
def test_budget_in_minutes_is_fixed_in_row_recipe_and_event(database: Path, minutes: int, span: str) -> None:
    name, recipe = resolve("gan", dataset="ring8", budget={"minutes": minutes}, overrides={"report_every": 7})
    job = lifecycle.create(train.of_recipe(recipe, name, "timed"))
    assert job.total == 0
    assert attempts.claim(job.id, "tests") is not None
    fixed = attempts.fix_budget(job.id, 1, 900)
    assert (
        fixed.budget.steps,
        fixed.budget.minutes,
        fixed.checkpoint_every,
        fixed.report_every,
    ) == (900, None, 45, 7)
    assert (lifecycle.get(job.id).recipe, lifecycle.get(job.id).total) == (fixed, 900)
    event = lifecycle.events(job.id)[-1]
    sentence = f"At the pace measured here {span} 900 steps; these are the budget from now on."
    assert (event.type, event.data) == ("budget", {"minutes": minutes, "steps": 900, "message": sentence})


def test_report_records_points_a_sample_and_two_events(database: Path) -> None:
    job_id = running_job()
    record_report(job_id, 1, 5, {"critic": 0.5, "generator": None}, b"png")
    assert lifecycle.metrics(job_id) == {"critic": ([(5, 0.5)], False), "generator": ([(5, None)], False)}
    assert lifecycle.metrics(job_id, names=["critic"], after_step=5) == {}
    (sample,) = lifecycle.artifacts(job_id, "sample")
    assert (sample.media_type, sample.size, sample.step) == ("image/png", 3, 5)
    assert [(event.type, event.data) for event in lifecycle.events(job_id, after=2)] == [
        ("metrics", {"step": 5, "values": {"critic": 0.5, "generator": None}}),
        ("sample", {"step": 5, "artifact": sample.id}),
    ]


def test_probe_is_an_artifact_and_an_event_after_the_sample(database: Path) -> None:
    job_id = running_job()
    record_report(job_id, 1, 5, {}, b"png", b"{}")
    (probe,) = lifecycle.artifacts(job_id, "probe")
    assert (probe.name, probe.media_type, probe.size, probe.step) == ("probe-000000005.json", "application/json", 2, 5)
    events = lifecycle.events(job_id, after=2)
    assert [event.type for event in events] == ["metrics", "sample", "probe"]
    assert events[-1].data == {"step": 5, "artifact": probe.id}


def test_second_report_of_a_step_replaces_the_first(database: Path) -> None:
    job_id = running_job()
    record_report(job_id, 1, 5, {"critic": 0.5}, b"one")
    (first,) = lifecycle.artifacts(job_id)
    record_report(job_id, 1, 5, {"critic": 0.25}, b"two")
    (second,) = lifecycle.artifacts(job_id)
    assert lifecycle.metrics(job_id) == {"critic": ([(5, 0.25)], False)}
    assert first.id == second.id
    assert first.sha256 != second.sha256


def test_rewind_deletes_later_points_and_samples(database: Path) -> None:
    job_id = running_job()
    for step in (2, 4, 6):
        record_report(job_id, 1, step, {"critic": 1.0}, b"png")
    save_checkpoint(job_id, 1, 4)
    attempts.rewind(job_id, 1, 4)
    assert lifecycle.metrics(job_id) == {"critic": ([(2, 1.0), (4, 1.0)], False)}
    assert [artifact.step for artifact in lifecycle.artifacts(job_id)] == [2, 4]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [4]
    assert lifecycle.get(job_id).step == 4
    assert lifecycle.events(job_id)[-1].data == {"to_step": 4}


def test_only_the_newest_checkpoints_and_their_files_are_kept(database: Path) -> None:
    job_id = running_job()
    paths = [save_checkpoint(job_id, 1, step) for step in range(5)]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [4, 3, 2]
    assert sorted(paths[0].parent.iterdir()) == paths[2:]


def test_best_checkpoint_is_kept_until_a_better_one(database: Path) -> None:
    job_id = running_job()
    attempts.record_best(job_id, 1, 1, "frechet", 4.0)
    paths = [save_checkpoint(job_id, 1, step) for step in range(6)]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [5, 4, 3, 1]
    attempts.sweep_files(job_id, 1)
    assert sorted(paths[0].parent.iterdir()) == [paths[1], *paths[3:]]
    attempts.record_best(job_id, 1, 6, "frechet", 3.0)
    save_checkpoint(job_id, 1, 6)
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [6, 5, 4], "no longer the best"
    best = {"step": 6, "metric": "frechet", "value": 3.0}
    assert lifecycle.get(job_id).best == best
    assert [event.data for event in lifecycle.events(job_id) if event.type == "best"][-1] == best


def test_best_reported_again_writes_no_event(database: Path) -> None:
    job_id = running_job()
    for step, value in ((1, 4.0), (1, 4.0), (2, 4.0), (2, 3.5), (2, 3.5)):
        attempts.record_best(job_id, 1, step, "frechet", value)
    reported = [event.data for event in lifecycle.events(job_id) if event.type == "best"]
    assert [(best["step"], best["value"]) for best in reported] == [(1, 4.0), (2, 4.0), (2, 3.5)]


def test_health_is_the_newest_and_recovery_is_an_event(database: Path) -> None:
    job_id = running_job()
    assert lifecycle.get(job_id).health is None
    for health in (HEALTHY, TROUBLED, HEALTHY, HEALTHY):
        attempts.record_health(job_id, 1, health)
        assert lifecycle.get(job_id).health == health
    events = [event.data for event in lifecycle.events(job_id) if event.type == "health"]
    assert [(data["kind"], data["step"]) for data in events] == [("recovered", 8)]


@pytest.mark.parametrize(("to", "kept"), [(4, True), (3, False)])
def test_rewind_past_an_evaluation_clears_its_health(database: Path, to: int, kept: bool) -> None:
    job_id = running_job()
    attempts.record_health(job_id, 1, TROUBLED)
    attempts.rewind(job_id, 1, to)
    assert (lifecycle.get(job_id).health is not None) == kept


def test_job_without_a_watch_is_unwatched(database: Path) -> None:
    health = lifecycle.get(make_job(watch=None).id).health
    assert health is not None
    assert (health["state"], health["kind"]) == ("unwatched", None)


@pytest.mark.parametrize(("to", "kept"), [(4, True), (3, False)])
def test_rewind_past_the_best_checkpoint_clears_it(database: Path, to: int, kept: bool) -> None:
    job_id = running_job()
    attempts.record_best(job_id, 1, 4, "frechet", 4.0)
    attempts.rewind(job_id, 1, to)
    assert (lifecycle.get(job_id).best is not None) == kept


def test_early_end_publishes_the_best_checkpoint_and_states_the_reason(database: Path) -> None:
    job_id = running_job()
    save_checkpoint(job_id, 1, 12)
    reason = ("stopped_early", "Nothing better came.")
    model = attempts.finish_training(
        job_id, 1, export_file(), {"steps": 8}, step=8, figures={"frechet": 4.0}, reason=reason
    )
    job = lifecycle.get(job_id)
    assert (job.state, job.step, job.total) == (S.SUCCEEDED, 12, 20)
    assert job.status_reason is not None
    assert (job.status_reason.code, job.status_reason.message) == reason
    assert job.result is not None
    assert (job.result.model, job.result.step, job.result.figures) == (model, 8, {"frechet": 4.0})
    (version,) = registry.versions()
    assert (version.step, version.card["figures"]) == (8, {"frechet": 4.0})
    assert lifecycle.events(job_id)[-1].data["reason"]["code"] == "stopped_early"


def test_second_checkpoint_of_a_step_replaces_the_first(database: Path) -> None:
    job_id = running_job()
    first = save_checkpoint(job_id, 1, 5, "step-5-a1.pt")
    second = save_checkpoint(job_id, 1, 5, "step-5-a2.pt")
    assert [checkpoint.file for checkpoint in lifecycle.checkpoints(job_id)] == [second.name]
    assert not first.exists()


def test_pruning_keeps_the_file_of_a_later_unrecorded_checkpoint(database: Path) -> None:
    job_id = running_job()
    paths = [save_checkpoint(job_id, 1, 0)]
    saved = paths[0].with_name("step-000000009-a1.pt")
    saved.write_bytes(b"state")
    paths += [save_checkpoint(job_id, 1, step) for step in range(1, 6)]
    assert sorted(saved.parent.iterdir()) == [*paths[3:], saved]


def test_sweep_removes_only_files_of_earlier_attempts(database: Path) -> None:
    job_id = running_job()
    kept = save_checkpoint(job_id, 1, 0)
    attempts.record_runner_loss(job_id, 1, "worker_lost", "The runner died.")
    assert attempts.claim(job_id, "tests") is not None
    leave_unfinished(kept.parent, 1)
    current, later = leave_unfinished(kept.parent, 2), leave_unfinished(kept.parent, 3)
    attempts.sweep_files(job_id, 2)
    assert set(kept.parent.iterdir()) == {kept} | current | later
    with pytest.raises(FencedOut):
        attempts.sweep_files(job_id, 1)
    with pytest.raises(ValueError, match=r"Attempt 2 may not remove step-000000005-a3\.pt"):
        attempt_files.remove(kept.parent / "step-000000005-a3.pt", 2)
    with pytest.raises(ValueError, match=r"Attempt 2 may not remove start\.pt"):
        attempt_files.remove(kept.parent / "start.pt", 2)


def test_vanished_working_files_raise_files_lost(tmp_path: Path) -> None:
    def work() -> None:
        with attempt_files.scratch(tmp_path, "export", 1) as folder:
            attempt_files.sweep(tmp_path, 2, ())
            (folder / "export.safetensors").write_bytes(b"weights")

    with pytest.raises(FilesLost, match="working files of attempt 1"):
        work()
    assert list(tmp_path.iterdir()) == []


def test_each_success_publishes_the_next_version(database: Path) -> None:
    for version in (1, 2):
        job_id = running_job()
        record_report(job_id, 1, 10, {"critic": 1.0}, b"png")
        record_report(job_id, 1, 20, {"critic": 0.5}, b"better png")
        model = attempts.finish_training(job_id, 1, export_file(), {"steps": 20}, step=20, figures={})
        assert model == f"cdcgan-digits@{version}"
    job = lifecycle.get(job_id)
    assert job.result is not None
    assert (job.state, job.step, job.result.model) == (S.SUCCEEDED, 20, "cdcgan-digits@2")
    newest, oldest = registry.versions()
    assert (newest.version, oldest.version) == (2, 1)
    assert (newest.job_id, newest.recipe) == (job_id, job.recipe)
    last = next(sample.id for sample in lifecycle.artifacts(job_id, "sample") if sample.step == 20)
    assert newest.card == {"steps": 20, "figures": {"critic": 0.5}, "sample": last}
    (export,) = lifecycle.artifacts(job_id, "export")
    assert export.sha256 == newest.export_sha256 == job.result.export_sha256


@pytest.mark.parametrize("order", [lifecycle.pause, lifecycle.cancel])
def test_training_that_ends_before_a_requested_stop_succeeds(database: Path, order: Callable[[str], object]) -> None:
    job_id = running_job()
    order(job_id)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    assert lifecycle.get(job_id).state == S.SUCCEEDED


def test_event_numbers_have_no_gaps(database: Path) -> None:
    job_id = running_job()
    for step in range(4):
        record_report(job_id, 1, step, {"critic": 1.0}, b"png")
        save_checkpoint(job_id, 1, step)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    seqs = [event.seq for event in lifecycle.events(job_id)]
    assert seqs == list(range(1, len(seqs) + 1))
