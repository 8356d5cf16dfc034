"""A link for runners in the test's own process: there is no supervisor, and orders come from the test."""

from collections.abc import Callable

from worker.runners.supervisor_link import SupervisorLink


class ScriptedLink(SupervisorLink):
    """Counts heartbeats; at the heartbeat of number `at` it runs `action` and orders the runner to stop."""

    def __init__(self, at: int, action: Callable[[], object]) -> None:
        super().__init__()
        self.beats, self._at, self._action = 0, at, action

    def beat(self, step: int, *, now: bool = False) -> None:
        self.beats += 1
        if self.beats == self._at:
            self._action()
            self.order = "the job's row says which"


def silent_link() -> ScriptedLink:
    """Return a link that orders nothing."""
    return ScriptedLink(-1, lambda: None)
