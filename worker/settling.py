"""The first attempt's numerics are the job's; where this machine has others, the job says so."""

from typing import TYPE_CHECKING

from app.services import attempts

if TYPE_CHECKING:  # torch takes seconds to import
    from worker.training.numerics import Numerics


def settle(job_id: str, fence: int, here: "Numerics") -> "Numerics":
    """Those to go on with. `here` is what this machine would use."""
    from worker.training import numerics

    stored = attempts.settle_numerics(job_id, fence, here.as_dict())
    settled, reason = numerics.agree(numerics.Numerics.from_dict(stored), here)
    if reason is not None:
        attempts.record_event(job_id, fence, "exactness_lost", {"reason": reason})
    return settled
