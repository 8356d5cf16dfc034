"""Collect the curves of a running job from its events, for views that are updated."""

from forger.events import Event, Metrics, Rewound
from forger.text import by_player


class LiveCurves:
    """The curves of a job so far: each player's loss and each figure."""

    def __init__(self) -> None:
        self._points: list[tuple[int, dict[str, float | None]]] = []

    def add(self, event: Event) -> None:
        """Add the values of an event; remove those that a new attempt repeats. Other events change nothing."""
        match event:
            case Metrics(step=step, values=values):
                self._points.append((step, by_player(values)))
            case Rewound(to_step=to_step):
                self._points = [point for point in self._points if point[0] <= to_step]
            case _:
                pass

    def by_name(self) -> dict[str, list[float | None]]:
        """Return the values of each curve by its name; None was not finite."""
        names = sorted({name for _, values in self._points for name in values})
        return {name: [values[name] for _, values in self._points if name in values] for name in names}
