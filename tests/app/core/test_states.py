"""The states of a job and the transitions between them."""

from app.core.states import ACTIVE, TRANSITIONS, predecessors
from forger.wire import TERMINAL, JobState


def test_every_state_has_an_entry_in_transitions() -> None:
    assert set(TRANSITIONS) == set(JobState)


def test_of_the_terminal_states_only_succeeded_can_be_left() -> None:
    assert {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED} == TERMINAL
    assert {state: TRANSITIONS[state] for state in TERMINAL if TRANSITIONS[state]} == {
        JobState.SUCCEEDED: {JobState.QUEUED}
    }


def test_every_state_is_reachable_from_queued() -> None:
    reached, frontier = {JobState.QUEUED}, [JobState.QUEUED]
    while frontier:
        new = TRANSITIONS[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert reached == set(JobState)


def test_cancelling_job_cannot_return_to_queued_or_running() -> None:
    assert JobState.QUEUED not in TRANSITIONS[JobState.CANCELLING]
    assert JobState.RUNNING not in TRANSITIONS[JobState.CANCELLING]


def test_predecessors_are_the_inverse_of_transitions() -> None:
    for target in JobState:
        assert predecessors(target) == {state for state in JobState if target in TRANSITIONS[state]}


def test_only_an_active_job_succeeds_or_fails() -> None:
    assert predecessors(JobState.SUCCEEDED) == predecessors(JobState.FAILED) == ACTIVE
