"""Represent an experiment: its newest reply, and the requests about it."""

import time
from collections.abc import Iterator

from forger import notebook
from forger.connection import Connection
from forger.job import Job
from forger.picture import Picture
from forger.schemas.experiments import ExperimentDetail, MeasuredJob, MeasuredJobList
from forger.schemas.jobs import JobOut
from forger.wire import TERMINAL, TableFormat

PAUSE_S = 1.0


class Experiment:
    """An experiment. `reply` is the service's newest reply; `refresh`, `follow`, `wait` and `cancel` replace it."""

    def __init__(self, connection: Connection, reply: ExperimentDetail) -> None:
        self._connection = connection
        self._path = f"/experiments/{reply.id}"
        self.reply = reply

    def __repr__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in self.reply.states.items())
        return f"<Experiment {self.reply.id}: {self.reply.name or 'unnamed'}, {states}>"

    @property
    def id(self) -> str:
        return self.reply.id

    @property
    def studio(self) -> str:
        """Return the address of its page in the studio."""
        return self._connection.studio(f"experiments/{self.id}")

    @property
    def ended(self) -> bool:
        return all(state in TERMINAL for state in self.reply.states)

    def refresh(self) -> "Experiment":
        """Read the experiment again."""
        self.reply = self._connection.read(ExperimentDetail, self._path)
        return self

    def follow(self) -> Iterator[ExperimentDetail]:
        """Yield the reply whenever jobs have changed their states, until all have ended."""
        last_states = None
        while True:
            self.refresh()
            if self.reply.states != last_states:
                last_states = self.reply.states
                yield self.reply
            if self.ended:
                return
            time.sleep(PAUSE_S)

    def wait(self) -> "Experiment":
        """Return when every job has ended."""
        for _ in self.follow():
            pass
        return self

    def jobs(self) -> Iterator[Job]:
        """Yield its jobs that still exist, oldest first."""
        for job in self.reply.jobs:
            yield Job(self._connection, self._connection.read(JobOut, self._connection.path(job.href)))

    def cancel(self) -> "Experiment":
        """Cancel every job that has not ended."""
        self.reply = self._connection.read(ExperimentDetail, f"{self._path}/cancel", "POST")
        return self

    def delete(self) -> None:
        """Delete the experiment, after every job has ended; the jobs stay."""
        self._connection.request("DELETE", self._path)

    def picture(self) -> Picture:
        """Draw the table."""
        return Picture.of(self._connection.request("GET", self._path, params={"format": "png"}))

    def csv(self) -> str:
        """Read the table as CSV, a line for each case and figure."""
        return self.table("csv").decode()

    def table(self, format_: TableFormat) -> bytes:
        """Read the table as a file, a line for each case and figure."""
        return self._connection.request("GET", self._path, params={"format": format_}).content

    def measured(self) -> list[MeasuredJob]:
        """Read its jobs, each with its figures."""
        return self._connection.read(MeasuredJobList, f"{self._path}/jobs").data

    def table_of_jobs(self, format_: TableFormat) -> bytes:
        """Read the jobs and their figures as a file, a line for each figure of each job."""
        return self._connection.request("GET", f"{self._path}/jobs", params={"format": format_}).content

    def _repr_html_(self) -> str:
        return notebook.experiment(self.reply, self.studio)
