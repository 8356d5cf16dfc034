from app.core.states import ACTIVE, TRANSITIONS, predecessors
from forger.wire import TERMINAL, JobState


def test_every_state_has_its_moves() -> None:
    assert set(TRANSITIONS) == set(JobState)


def test_of_the_three_ends_only_success_can_be_extended() -> None:
    assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} == TERMINAL
    assert {state: TRANSITIONS[state] for state in TERMINAL if TRANSITIONS[state]} == {
        JobState.SUCCEEDED: {JobState.QUEUED}
    }


def test_every_state_is_reached_from_queued() -> None:
    reached, frontier = {JobState.QUEUED}, [JobState.QUEUED]
    while frontier:
        new = TRANSITIONS[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert reached == set(JobState)


def test_a_cancelled_job_never_trains_again() -> None:
    assert JobState.QUEUED not in TRANSITIONS[JobState.CANCELLING]
    assert JobState.RUNNING not in TRANSITIONS[JobState.CANCELLING]


def test_sources_are_the_moves_read_backwards() -> None:
    for target in JobState:
        assert predecessors(target) == {state for state in JobState if target in TRANSITIONS[state]}


def test_only_an_active_job_succeeds_or_fails() -> None:
    assert predecessors(JobState.SUCCEEDED) == predecessors(JobState.FAILED) == ACTIVE
