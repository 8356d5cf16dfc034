"""One attempt at a time, fenced; whatever it leaves unsaid is settled by others."""

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
CLAIM = """
import sys
from app.services.jobs import attempts
for job_id in sys.argv[1:]:
    if attempts.claim(job_id, "racer"):
        print(job_id)
"""
WELL: dict[str, Any] = {"state": "healthy", "kind": None, "step": 8, "message": "No trouble was seen."}
ILL: dict[str, Any] = {"state": "troubled", "kind": "collapse", "step": 4, "message": "It repeats itself."}
WRITES: dict[str, Callable[[str, int], object]] = {
    "renew": lambda job, fence: attempts.renew(job, fence, 1, None),
    "held": attempts.current_job,
    "numerics": lambda job, fence: attempts.agree_numerics(job, fence, {}),
    "budget": lambda job, fence: attempts.fix_budget(job, fence, 9),
    "event": lambda job, fence: attempts.record_event(job, fence, "health", {}),
    "best": lambda job, fence: attempts.record_best(job, fence, 1, "frechet", 4.0),
    "health": lambda job, fence: attempts.record_health(job, fence, WELL),
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


def running() -> str:
    job = make_job()
    assert attempts.claim(job.id, "tests") is not None
    return job.id


def save(job_id: str, fence: int, step: int, file: str | None = None) -> Path:
    """A checkpoint's file and row."""
    path = get_settings().checkpoints(job_id) / (file or f"step-{step:09d}-a{fence}.pt")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"state")
    attempts.record_checkpoint(job_id, fence, step, path.name, "0" * 64, 5)
    return path


@pytest.mark.processes
def test_of_four_racing_processes_one_claims_each_job(database: Path) -> None:
    ids = [make_job().id for _ in range(25)]
    racers = [
        subprocess.Popen([sys.executable, "-c", CLAIM, *ids], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    won = [line for racer in racers for line in racer.communicate()[0].split()]
    assert sorted(won) == sorted(ids)
    assert {job.attempt for job in lifecycle.list_jobs(limit=100)[0]} == {1}


@pytest.mark.parametrize("state", sorted(set(JobState) - {S.QUEUED}))
def test_only_a_waiting_job_is_claimed(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    assert attempts.claim(job.id, "tests") is None


@pytest.mark.sampled(24, quick=8)
@pytest.mark.parametrize(("write", "state"), [*product(WRITES, sorted(set(JobState) - ACTIVE))])
def test_no_write_reaches_a_job_that_is_not_held(database: Path, write: str, state: JobState) -> None:
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
def test_no_write_of_an_older_attempt_is_taken(database: Path, write: str) -> None:
    job_id = running()
    attempts.record_runner_loss(job_id, 1, "worker_lost", "It went.")
    assert attempts.claim(job_id, "the next") is not None
    before = lifecycle.get(job_id), lifecycle.events(job_id)
    with pytest.raises(FencedOut):
        WRITES[write](job_id, 1)
    assert (lifecycle.get(job_id), lifecycle.events(job_id)) == before


def test_a_renewal_tells_what_is_asked(database: Path) -> None:
    job_id = running()
    assert attempts.renew(job_id, 1, 3, 1.5) == S.RUNNING
    assert (lifecycle.get(job_id).step, lifecycle.get(job_id).eta_s) == (3, 1.5)
    lifecycle.pause(job_id)
    assert attempts.renew(job_id, 1, 3, 1.5) == S.PAUSING
    lifecycle.cancel(job_id)
    assert attempts.renew(job_id, 1, 3, 1.5) == S.CANCELLING


def test_a_late_heartbeat_does_not_turn_progress_back(database: Path) -> None:
    job_id = running()
    record_report(job_id, 1, 9, {}, None)
    attempts.renew(job_id, 1, 7, None)
    assert lifecycle.get(job_id).step == 9


@pytest.mark.parametrize(
    ("asked", "left"), [(None, S.QUEUED), (lifecycle.pause, S.PAUSED), (lifecycle.cancel, S.CANCELLED)]
)
@pytest.mark.parametrize("how", ["stopped", "lost", "abandoned"])
def test_an_attempt_that_ends_leaves_what_was_asked(
    database: Path, asked: Callable[[str], object] | None, left: JobState, how: str
) -> None:
    job_id = running()
    if asked is not None:
        asked(job_id)
    assert WRITES[how](job_id, 1) == left
    assert lifecycle.get(job_id).state == left


def test_three_fruitless_attempts_in_a_row_are_the_end(database: Path) -> None:
    job_id = make_job().id
    for fence in (1, 2, 3):
        assert attempts.claim(job_id, "tests") is not None
        attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.")
    job = lifecycle.get(job_id)
    assert job.state == S.FAILED
    assert job.status_reason is not None
    assert job.status_reason.code == "worker_lost"
    assert "3 attempts in a row" in job.status_reason.message


def test_attempts_lost_with_their_worker_are_no_fault_of_the_job_until_there_are_many(database: Path) -> None:
    job_id = make_job().id
    for fence in range(1, attempts.MAX_WORKER_LOSSES):
        assert attempts.claim(job_id, "tests") is not None
        assert attempts.record_worker_loss(job_id, fence, "worker_lost", "The worker ended.") == S.QUEUED
    assert attempts.claim(job_id, "tests") is not None
    save(job_id, attempts.MAX_WORKER_LOSSES, 1)
    for more in range(attempts.MAX_WORKER_LOSSES):
        state = attempts.record_worker_loss(
            job_id, attempts.MAX_WORKER_LOSSES + more, "worker_lost", "The worker ended."
        )
        assert state == (S.FAILED if more == attempts.MAX_WORKER_LOSSES - 1 else S.QUEUED), "counted anew"
        attempts.claim(job_id, "tests")
    reason = lifecycle.get(job_id).status_reason
    assert reason is not None
    assert f"{attempts.MAX_WORKER_LOSSES} attempts in a row" in reason.message


def test_a_new_checkpoint_starts_the_count_again_and_an_old_one_does_not(database: Path) -> None:
    job_id = make_job().id
    for fence in range(1, 6):  # each one saves further on
        assert attempts.claim(job_id, "tests") is not None
        save(job_id, fence, fence)
        assert attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.") == S.QUEUED
    for fence in (6, 7):
        assert attempts.claim(job_id, "tests") is not None
        save(job_id, fence, 5)
        state = attempts.record_runner_loss(job_id, fence, "worker_lost", "It went.")
    assert state == S.FAILED


def test_numerics_are_those_of_the_first_attempt(database: Path) -> None:
    job_id = running()
    assert attempts.agree_numerics(job_id, 1, {"threads": 2}) == {"threads": 2}
    assert attempts.agree_numerics(job_id, 1, {"threads": 4}) == {"threads": 2}
    assert lifecycle.get(job_id).numerics == {"threads": 2}


@pytest.mark.parametrize(("minutes", "span"), [(1, "1 minute is"), (2, "2 minutes are")])
def test_a_budget_in_minutes_is_settled_in_row_recipe_and_event(database: Path, minutes: int, span: str) -> None:
    name, recipe = resolve("gan", dataset="ring8", budget={"minutes": minutes}, overrides={"report_every": 7})
    job = lifecycle.create(train.of_recipe(recipe, name, "timed"))
    assert job.total == 0
    assert attempts.claim(job.id, "tests") is not None
    whole = attempts.fix_budget(job.id, 1, 900)
    assert (whole.budget.steps, whole.budget.minutes, whole.checkpoint_every, whole.report_every) == (900, None, 45, 7)
    assert (lifecycle.get(job.id).recipe, lifecycle.get(job.id).total) == (whole, 900)
    event = lifecycle.events(job.id)[-1]
    sentence = f"At the pace measured here {span} 900 steps; these are the budget from now on."
    assert (event.type, event.data) == ("budget", {"minutes": minutes, "steps": 900, "message": sentence})


def test_a_report_leaves_points_a_sample_and_two_events(database: Path) -> None:
    job_id = running()
    record_report(job_id, 1, 5, {"critic": 0.5, "generator": None}, b"png")
    assert lifecycle.metrics(job_id) == {"critic": ([(5, 0.5)], False), "generator": ([(5, None)], False)}
    assert lifecycle.metrics(job_id, names=["critic"], after_step=5) == {}
    (sample,) = lifecycle.artifacts(job_id, "sample")
    assert (sample.media_type, sample.size, sample.step) == ("image/png", 3, 5)
    assert [(event.type, event.data) for event in lifecycle.events(job_id, after=2)] == [
        ("metrics", {"step": 5, "values": {"critic": 0.5, "generator": None}}),
        ("sample", {"step": 5, "artifact": sample.id}),
    ]


def test_a_probe_is_an_artifact_and_an_event_after_the_sample(database: Path) -> None:
    job_id = running()
    record_report(job_id, 1, 5, {}, b"png", b"{}")
    (probe,) = lifecycle.artifacts(job_id, "probe")
    assert (probe.name, probe.media_type, probe.size, probe.step) == ("probe-000000005.json", "application/json", 2, 5)
    events = lifecycle.events(job_id, after=2)
    assert [event.type for event in events] == ["metrics", "sample", "probe"]
    assert events[-1].data == {"step": 5, "artifact": probe.id}


def test_a_report_made_twice_is_there_once(database: Path) -> None:
    job_id = running()
    record_report(job_id, 1, 5, {"critic": 0.5}, b"one")
    (first,) = lifecycle.artifacts(job_id)
    record_report(job_id, 1, 5, {"critic": 0.25}, b"two")
    (second,) = lifecycle.artifacts(job_id)
    assert lifecycle.metrics(job_id) == {"critic": ([(5, 0.25)], False)}
    assert first.id == second.id
    assert first.sha256 != second.sha256


def test_a_rewind_forgets_what_lies_past_it(database: Path) -> None:
    job_id = running()
    for step in (2, 4, 6):
        record_report(job_id, 1, step, {"critic": 1.0}, b"png")
    save(job_id, 1, 4)
    attempts.rewind(job_id, 1, 4)
    assert lifecycle.metrics(job_id) == {"critic": ([(2, 1.0), (4, 1.0)], False)}
    assert [artifact.step for artifact in lifecycle.artifacts(job_id)] == [2, 4]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [4]
    assert lifecycle.get(job_id).step == 4
    assert lifecycle.events(job_id)[-1].data == {"to_step": 4}


def test_the_newest_checkpoints_are_kept_with_their_files_and_no_others(database: Path) -> None:
    job_id = running()
    paths = [save(job_id, 1, step) for step in range(5)]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [4, 3, 2]
    assert sorted(paths[0].parent.iterdir()) == paths[2:]


def test_the_best_checkpoint_is_never_pruned_nor_swept(database: Path) -> None:
    job_id = running()
    attempts.record_best(job_id, 1, 1, "frechet", 4.0)
    paths = [save(job_id, 1, step) for step in range(6)]
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [5, 4, 3, 1]
    attempts.sweep_files(job_id, 1)
    assert sorted(paths[0].parent.iterdir()) == [paths[1], *paths[3:]]
    attempts.record_best(job_id, 1, 6, "frechet", 3.0)
    save(job_id, 1, 6)
    assert [checkpoint.step for checkpoint in lifecycle.checkpoints(job_id)] == [6, 5, 4], "a better one frees it"
    best = {"step": 6, "metric": "frechet", "value": 3.0}
    assert lifecycle.get(job_id).best == best
    assert [event.data for event in lifecycle.events(job_id) if event.type == "best"][-1] == best


def test_a_best_that_is_told_again_is_no_event(database: Path) -> None:
    job_id = running()
    for step, value in ((1, 4.0), (1, 4.0), (2, 4.0), (2, 3.5), (2, 3.5)):
        attempts.record_best(job_id, 1, step, "frechet", value)
    told = [event.data for event in lifecycle.events(job_id) if event.type == "best"]
    assert [(best["step"], best["value"]) for best in told] == [(1, 4.0), (2, 4.0), (2, 3.5)]


def test_health_is_the_newest_and_its_return_is_an_event(database: Path) -> None:
    job_id = running()
    assert lifecycle.get(job_id).health is None
    for health in (WELL, ILL, WELL, WELL):
        attempts.record_health(job_id, 1, health)
        assert lifecycle.get(job_id).health == health
    told = [event.data for event in lifecycle.events(job_id) if event.type == "health"]
    assert [(data["kind"], data["step"]) for data in told] == [("recovered", 8)]


@pytest.mark.parametrize(("to", "kept"), [(4, True), (3, False)])
def test_a_rewind_past_an_evaluation_forgets_what_it_showed(database: Path, to: int, kept: bool) -> None:
    job_id = running()
    attempts.record_health(job_id, 1, ILL)
    attempts.rewind(job_id, 1, to)
    assert (lifecycle.get(job_id).health is not None) == kept


def test_a_job_without_a_watch_says_that_nobody_knows(database: Path) -> None:
    health = lifecycle.get(make_job(watch=None).id).health
    assert health is not None
    assert (health["state"], health["kind"]) == ("unwatched", None)


@pytest.mark.parametrize(("to", "kept"), [(4, True), (3, False)])
def test_a_rewind_past_the_best_checkpoint_forgets_it(database: Path, to: int, kept: bool) -> None:
    job_id = running()
    attempts.record_best(job_id, 1, 4, "frechet", 4.0)
    attempts.rewind(job_id, 1, to)
    assert (lifecycle.get(job_id).best is not None) == kept


def test_what_is_published_is_the_best_and_the_job_says_why_it_ended(database: Path) -> None:
    job_id = running()
    save(job_id, 1, 12)
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


def test_a_checkpoint_recorded_twice_replaces_the_first(database: Path) -> None:
    job_id = running()
    first = save(job_id, 1, 5, "step-5-a1.pt")
    second = save(job_id, 1, 5, "step-5-a2.pt")
    assert [checkpoint.file for checkpoint in lifecycle.checkpoints(job_id)] == [second.name]
    assert not first.exists()


def test_recording_a_checkpoint_leaves_a_later_one_that_is_saved_already(database: Path) -> None:
    job_id = running()
    paths = [save(job_id, 1, 0)]
    saved = paths[0].with_name("step-000000009-a1.pt")
    saved.write_bytes(b"state")
    paths += [save(job_id, 1, step) for step in range(1, 6)]
    assert sorted(saved.parent.iterdir()) == [*paths[3:], saved]


def leave_unfinished(folder: Path, fence: int) -> set[Path]:
    """What an attempt that dies may leave: a file half written, one never recorded, a working folder."""
    half = folder / f".incoming-step-000000005-a{fence}.pt-x"
    unrecorded = folder / f"step-000000005-a{fence}.pt"
    working = folder / f"trial-a{fence}-x"
    working.mkdir()
    for path in (half, unrecorded, working / "step-000000005-a0.pt"):
        path.write_bytes(b"state")
    return {half, unrecorded, working}


def test_an_attempt_removes_what_earlier_ones_left_and_never_its_own_or_a_later_ones(database: Path) -> None:
    job_id = running()
    kept = save(job_id, 1, 0)
    attempts.record_runner_loss(job_id, 1, "worker_lost", "The runner died.")
    assert attempts.claim(job_id, "tests") is not None
    leave_unfinished(kept.parent, 1)
    own, later = leave_unfinished(kept.parent, 2), leave_unfinished(kept.parent, 3)
    attempts.sweep_files(job_id, 2)
    assert set(kept.parent.iterdir()) == {kept} | own | later
    with pytest.raises(FencedOut):
        attempts.sweep_files(job_id, 1)
    with pytest.raises(ValueError, match=r"Attempt 2 may not remove step-000000005-a3\.pt"):
        attempt_files.remove(kept.parent / "step-000000005-a3.pt", 2)
    with pytest.raises(ValueError, match=r"Attempt 2 may not remove start\.pt"):
        attempt_files.remove(kept.parent / "start.pt", 2)


def test_working_files_that_vanish_lose_the_attempt(tmp_path: Path) -> None:
    def work() -> None:
        with attempt_files.scratch(tmp_path, "export", 1) as folder:
            attempt_files.sweep(tmp_path, 2, ())
            (folder / "export.safetensors").write_bytes(b"weights")

    with pytest.raises(FilesLost, match="working files of attempt 1"):
        work()
    assert list(tmp_path.iterdir()) == []


def test_success_publishes_the_next_version(database: Path) -> None:
    for version in (1, 2):
        job_id = running()
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


@pytest.mark.parametrize("asked", [lifecycle.pause, lifecycle.cancel])
def test_an_end_that_comes_before_the_stop_stands(database: Path, asked: Callable[[str], object]) -> None:
    job_id = running()
    asked(job_id)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    assert lifecycle.get(job_id).state == S.SUCCEEDED


def test_events_are_numbered_without_gaps(database: Path) -> None:
    job_id = running()
    for step in range(4):
        record_report(job_id, 1, step, {"critic": 1.0}, b"png")
        save(job_id, 1, step)
    attempts.finish_training(job_id, 1, export_file(), {}, step=20, figures={})
    seqs = [event.seq for event in lifecycle.events(job_id)]
    assert seqs == list(range(1, len(seqs) + 1))
