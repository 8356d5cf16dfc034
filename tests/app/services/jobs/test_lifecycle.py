"""The life of a job: what cancel, pause and resume do in every state, lists, the queue and events."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from app.core.errors import Conflict, NotFound
from app.core.states import TRANSITIONS
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services.jobs import attempts, lifecycle
from app.services.views import JobView
from forger.wire import TERMINAL, JobState
from tests.support.jobs import make_job, put_in

S = JobState
TARGETS: dict[Callable[[str], JobView], dict[JobState, JobState]] = {
    lifecycle.cancel: {
        S.QUEUED: S.CANCELLED,
        S.PAUSED: S.CANCELLED,
        S.RUNNING: S.CANCELLING,
        S.PAUSING: S.CANCELLING,
        S.CANCELLING: S.CANCELLING,
        S.CANCELLED: S.CANCELLED,
    },
    lifecycle.pause: {S.QUEUED: S.PAUSED, S.RUNNING: S.PAUSING, S.PAUSING: S.PAUSING, S.PAUSED: S.PAUSED},
    lifecycle.resume: {S.PAUSED: S.QUEUED, S.QUEUED: S.QUEUED, S.RUNNING: S.RUNNING},
}


@pytest.mark.sampled(quick=8)
@pytest.mark.parametrize(("order", "state"), [*product(TARGETS, JobState)])
def test_order_moves_the_job_or_is_refused_with_its_state(
    database: Path, order: Callable[[str], JobView], state: JobState
) -> None:
    job = make_job()
    put_in(state, job.id)
    events_before = len(lifecycle.events(job.id))
    if (target := TARGETS[order].get(state)) is None:
        with pytest.raises(Conflict, match=f"is {state} and cannot be"):
            order(job.id)
        target = state
    else:
        assert order(job.id).state == target
    assert lifecycle.get(job.id).state == target
    assert len(lifecycle.events(job.id)) == events_before + (target != state), "one event for each move"


@pytest.mark.sampled(24, quick=8)
@pytest.mark.parametrize(("state", "target"), [*product(JobState, JobState)])
def test_only_legal_transitions_are_accepted(database: Path, state: JobState, target: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with unit_of_work() as session:
        if target in TRANSITIONS[state]:
            assert rows.change_state(session, job.id, target, source={state})
        else:
            with pytest.raises(ValueError, match=f"to {target}"):
                rows.change_state(session, job.id, target, source={state})


def test_move_from_another_source_state_changes_nothing(database: Path) -> None:
    job = make_job()
    with unit_of_work() as session:
        assert not rows.change_state(session, job.id, S.SUCCEEDED, source={S.RUNNING})
    assert lifecycle.get(job.id) == job


def test_new_job_has_its_initial_values(database: Path) -> None:
    job = make_job(steps=20)
    assert (job.state, job.attempt, job.step, job.total, job.queue_position) == (S.QUEUED, 0, 0, 20, 1)
    assert (job.kind, job.family, job.dataset, job.model_name) == ("train", "cdcgan", "digits", "cdcgan-digits")
    assert (job.result, job.status_reason, job.started_at, job.finished_at) == (None, None, None, None)
    assert [(event.seq, event.type, event.data) for event in lifecycle.events(job.id)] == [
        (1, "state", {"state": "queued"})
    ]


@pytest.mark.parametrize(
    "call",
    [lifecycle.get, lifecycle.events, lifecycle.metrics, lifecycle.checkpoints, lifecycle.artifacts, lifecycle.cancel],
)
def test_unknown_job_is_not_found(database: Path, call: Callable[[str], object]) -> None:
    with pytest.raises(NotFound, match="There is no job 'job_x'"):
        call("job_x")


def test_pages_are_newest_first_without_gaps(database: Path) -> None:
    created = [make_job().id for _ in range(5)]
    listed: list[str] = []
    cursor = None
    while True:
        page, cursor = lifecycle.list_jobs(limit=2, after=cursor)
        listed += [job.id for job in page]
        if cursor is None:
            break
    assert listed == created[::-1]


def test_list_is_filtered_by_each_field(database: Path) -> None:
    digits, points = make_job(), make_job("gan", "ring8")
    lifecycle.pause(points.id)
    assert [job.id for job in lifecycle.list_jobs(state="paused")[0]] == [points.id]
    assert [job.id for job in lifecycle.list_jobs(family="cdcgan")[0]] == [digits.id]
    assert [job.id for job in lifecycle.list_jobs(dataset="ring8")[0]] == [points.id]
    assert [job.id for job in lifecycle.list_jobs(model="cdcgan-digits")[0]] == [digits.id]
    assert len(lifecycle.list_jobs(kind="train")[0]) == 2
    assert lifecycle.list_jobs(kind="evaluate")[0] == []


def test_queue_positions_follow_the_time_of_queueing(database: Path) -> None:
    first, second, third = make_job(), make_job(), make_job()
    assert attempts.claim(first.id, "tests")
    lifecycle.pause(second.id)
    lifecycle.resume(second.id)
    assert [lifecycle.get(job.id).queue_position for job in (first, second, third)] == [None, 2, 1]


def test_queue_positions_are_right_on_every_page(database: Path) -> None:
    created = [make_job().id for _ in range(30)]
    for job_id in created[3:30:3]:
        lifecycle.cancel(job_id)
    waiting = [job_id for job_id in created if lifecycle.get(job_id).state == S.QUEUED]
    positions = {job_id: position for position, job_id in enumerate(waiting, 1)}
    assert {job_id: lifecycle.get(job_id).queue_position for job_id in waiting} == positions
    listed: dict[str, int | None] = {}
    cursor = None
    while True:
        page, cursor = lifecycle.list_jobs(limit=7, after=cursor)
        listed |= {job.id: job.queue_position for job in page}
        if cursor is None:
            break
    assert listed == {job_id: positions.get(job_id) for job_id in created}


def test_events_can_be_read_after_any_number(database: Path) -> None:
    job = make_job()
    lifecycle.pause(job.id)
    lifecycle.resume(job.id)
    assert [event.seq for event in lifecycle.events(job.id, after=1, limit=1)] == [2]
    assert [event.data["state"] for event in lifecycle.events(job.id)] == ["queued", "paused", "queued"]


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_ended_job_has_an_end_time_and_no_owner(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job.id)
        assert row is not None
        assert (row.owner, row.lease_expires, row.eta_s) == (None, None, None)
        assert row.finished_at is not None
