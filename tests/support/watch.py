"""A job as a client sees it, which reads the event log."""

from typing import Any

from tests.support.service import TERMINAL, Service
from tests.support.wait import until


class Watch:
    """A follower of the log. `attempts` counts claims; `step` is that of the current attempt, None until it reports."""

    def __init__(self, service: Service, job_id: str) -> None:
        self._service = service
        self._job_id = job_id
        self._seq = 0
        self.events: list[dict[str, Any]] = []
        self.attempts = 0
        self.step: int | None = None

    def look(self) -> "Watch":
        while new := self._page():
            for event in new:
                self._take(event)
        return self

    def until_step(self, step: int) -> None:
        until(lambda: self._reached(step))

    def until_next_attempt(self) -> None:
        before = self.attempts
        until(lambda: self.look().attempts > before)

    def states(self) -> list[str]:
        return [event["data"]["state"] for event in self.look().events if event["type"] == "state"]

    def _page(self) -> list[dict[str, Any]]:
        reply = self._service.client.get(f"/jobs/{self._job_id}/events", params={"after": self._seq})
        assert reply.status_code == 200, reply.text
        found: list[dict[str, Any]] = reply.json()["data"]
        return found

    def _take(self, event: dict[str, Any]) -> None:
        self._seq = event["seq"]
        self.events.append(event)
        match event["type"]:
            case "state":
                self.step = None
                self.attempts += event["data"]["state"] == "running"
            case "rewound":
                self.step = event["data"]["to_step"]
            case "metrics" | "shard":
                self.step = event["data"]["step"]

    def _reached(self, step: int) -> bool:
        self.look()
        states = [event["data"]["state"] for event in self.events if event["type"] == "state"]
        assert states[-1] not in TERMINAL, f"It ended as {states[-1]} before step {step}."
        return self.step is not None and self.step >= step
