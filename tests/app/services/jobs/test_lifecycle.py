"""What a client may ask of a job, in every state."""

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
ANSWERS: dict[Callable[[str], JobView], dict[JobState, JobState]] = {
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
@pytest.mark.parametrize(("verb", "state"), [*product(ANSWERS, JobState)])
def test_a_verb_moves_the_job_or_says_why_not(database: Path, verb: Callable[[str], JobView], state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    told = len(lifecycle.events(job.id))
    if (target := ANSWERS[verb].get(state)) is None:
        with pytest.raises(Conflict, match=f"is {state} and cannot be"):
            verb(job.id)
        target = state
    else:
        assert verb(job.id).state == target
    assert lifecycle.get(job.id).state == target
    assert len(lifecycle.events(job.id)) == told + (target != state), "each move is one event, no move is none"


@pytest.mark.sampled(24, quick=8)
@pytest.mark.parametrize(("state", "target"), [*product(JobState, JobState)])
def test_only_legal_moves_exist(database: Path, state: JobState, target: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with unit_of_work() as session:
        if target in TRANSITIONS[state]:
            assert rows.move(session, job.id, target, source={state})
        else:
            with pytest.raises(ValueError, match=f"to {target}"):
                rows.move(session, job.id, target, source={state})


def test_a_move_from_another_state_than_the_jobs_changes_nothing(database: Path) -> None:
    job = make_job()
    with unit_of_work() as session:
        assert not rows.move(session, job.id, S.SUCCEEDED, source={S.RUNNING})
    assert lifecycle.get(job.id) == job


def test_a_new_job_is_whole(database: Path) -> None:
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
def test_an_unknown_job_is_not_found(database: Path, call: Callable[[str], object]) -> None:
    with pytest.raises(NotFound, match="There is no job 'job_x'"):
        call("job_x")


def test_lists_are_newest_first_and_page_without_gaps(database: Path) -> None:
    made = [make_job().id for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page, cursor = lifecycle.list_jobs(limit=2, after=cursor)
        seen += [job.id for job in page]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_lists_are_filtered(database: Path) -> None:
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


def test_every_place_in_a_long_queue_is_known_on_every_page(database: Path) -> None:
    made = [make_job().id for _ in range(30)]
    for job_id in made[3:30:3]:
        lifecycle.cancel(job_id)
    waiting = [job_id for job_id in made if lifecycle.get(job_id).state == S.QUEUED]
    places = {job_id: place for place, job_id in enumerate(waiting, 1)}
    assert {job_id: lifecycle.get(job_id).queue_position for job_id in waiting} == places
    seen: dict[str, int | None] = {}
    cursor = None
    while True:
        page, cursor = lifecycle.list_jobs(limit=7, after=cursor)
        seen |= {job.id: job.queue_position for job in page}
        if cursor is None:
            break
    assert seen == {job_id: places.get(job_id) for job_id in made}


def test_events_are_read_from_any_point(database: Path) -> None:
    job = make_job()
    lifecycle.pause(job.id)
    lifecycle.resume(job.id)
    assert [event.seq for event in lifecycle.events(job.id, after=1, limit=1)] == [2]
    assert [event.data["state"] for event in lifecycle.events(job.id)] == ["queued", "paused", "queued"]


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_an_ended_job_has_an_end_and_no_owner(database: Path, state: JobState) -> None:
    job = make_job()
    put_in(state, job.id)
    with unit_of_work(read_only=True) as session:
        row = rows.find(session, job.id)
        assert row is not None
        assert (row.owner, row.lease_expires, row.eta_s) == (None, None, None)
        assert row.finished_at is not None
