"""JobPlan: a job that may be created."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.services.job_spec import JobSpec

Spec_co = TypeVar("Spec_co", bound=JobSpec, covariant=True)


def _holds_nothing(job_id: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class JobPlan(Generic[Spec_co]):
    """What a job does, and what creating it takes.

    `stored_bytes` is the most that it keeps on the disk. `hold` takes the job's id and puts the files that it needs
    into its folder, so that they stay whatever becomes of their origin.
    """

    spec: Spec_co
    stored_bytes: int
    hold: Callable[[str], None] = _holds_nothing
