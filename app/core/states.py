"""Define every legal transition between the states of a job."""

from forger.wire import JobState

# A job that shall pause or stop may still end by itself first: that end stands.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.PAUSED, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.QUEUED,
            JobState.PAUSING,
            # Paused by the service: it cannot continue until a person has acted.
            JobState.PAUSED,
            JobState.CANCELLING,
            JobState.SUCCEEDED,
            JobState.FAILED,
        }
    ),
    JobState.PAUSING: frozenset({JobState.PAUSED, JobState.CANCELLING, JobState.SUCCEEDED, JobState.FAILED}),
    JobState.PAUSED: frozenset({JobState.QUEUED, JobState.CANCELLED}),
    JobState.CANCELLING: frozenset({JobState.CANCELLED, JobState.SUCCEEDED, JobState.FAILED}),
    # An extended job is queued again.
    JobState.SUCCEEDED: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}

ACTIVE = frozenset({JobState.RUNNING, JobState.PAUSING, JobState.CANCELLING})
"""states in which an attempt runs the job under a lease"""


def predecessors(target: JobState) -> frozenset[JobState]:
    """Return the states with a transition to `target`."""
    return frozenset(state for state, targets in TRANSITIONS.items() if target in targets)
