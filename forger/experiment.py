"""An experiment as its client holds it: what was last read of it, and what can be asked of it."""

import time
from collections.abc import Iterator

from forger.connection import Connection
from forger.job import Job
from forger.picture import Picture
from forger.schemas.experiments import ExperimentDetail, MeasuredJob, MeasuredJobList
from forger.schemas.jobs import JobOut
from forger.wire import TERMINAL, TableFormat

PAUSE_S = 1.0


class Experiment:
    """`seen` is the newest reading; `refresh`, `follow`, `wait` and `cancel` renew it."""

    def __init__(self, connection: Connection, seen: ExperimentDetail) -> None:
        self._connection = connection
        self._path = f"/experiments/{seen.id}"
        self.seen = seen

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.seen.states.items())
        return f"<Experiment {self.seen.id}: {self.seen.name or 'unnamed'}, {states}>"

    @property
    def id(self) -> str:
        return self.seen.id

    @property
    def ended(self) -> bool:
        return all(state in TERMINAL for state in self.seen.states)

    def refresh(self) -> "Experiment":
        """Read the experiment again."""
        self.seen = self._connection.read(ExperimentDetail, self._path)
        return self

    def follow(self) -> Iterator[ExperimentDetail]:
        """Yield a reading whenever jobs have changed their states; the last one when all have ended."""
        told = None
        while True:
            self.refresh()
            if self.seen.states != told:
                told = self.seen.states
                yield self.seen
            if self.ended:
                return
            time.sleep(PAUSE_S)

    def wait(self) -> "Experiment":
        """Return when every job has ended."""
        for _ in self.follow():
            pass
        return self

    def jobs(self) -> Iterator[Job]:
        """Read each of its jobs that is still there, oldest first."""
        for job in self.seen.jobs:
            yield Job(self._connection, self._connection.read(JobOut, self._connection.path(job.href)))

    def cancel(self) -> "Experiment":
        """Cancel every job that has not ended."""
        self.seen = self._connection.read(ExperimentDetail, f"{self._path}/cancel", "POST")
        return self

    def delete(self) -> None:
        """Forget the experiment, when every job has ended; the jobs stay."""
        self._connection.ask("DELETE", self._path)

    def picture(self) -> Picture:
        """Draw the table."""
        return Picture.of(self._connection.ask("GET", self._path, params={"format": "png"}))

    def csv(self) -> str:
        """Read the table as CSV, a line for each case and figure."""
        return self.table("csv").decode()

    def table(self, format_: TableFormat) -> bytes:
        """Read the table as a file, a line for each case and figure."""
        return self._connection.ask("GET", self._path, params={"format": format_}).content

    def measured(self) -> list[MeasuredJob]:
        """Read its jobs, each with its own figures."""
        return self._connection.read(MeasuredJobList, f"{self._path}/jobs").data

    def table_of_jobs(self, format_: TableFormat) -> bytes:
        """Read the same as a file, a line for each figure of each job."""
        return self._connection.ask("GET", f"{self._path}/jobs", params={"format": format_}).content
