"""Keep what a live view shows of a job's events: its curves and its newest picture."""

from forger.events import Event, Metrics, Rewound, SampleDrawn
from forger.text import by_player


class Course:
    """The events of a job so far. `sample` is the id of the newest fixed-noise picture; None before the first."""

    def __init__(self) -> None:
        self._points: list[tuple[int, dict[str, float | None]]] = []
        self.sample: str | None = None

    def take(self, event: Event) -> None:
        match event:
            case Metrics(step=step, values=values):
                self._points.append((step, by_player(values)))
            case Rewound(to_step=to_step):
                self._points = [point for point in self._points if point[0] <= to_step]
            case SampleDrawn(artifact=artifact):
                self.sample = artifact
            case _:
                pass

    def curves(self) -> dict[str, list[float | None]]:
        """Return the values of each player's loss and of each figure, by name; None was not finite."""
        names = sorted({name for _, values in self._points for name in values})
        return {name: [values[name] for _, values in self._points if name in values] for name in names}
