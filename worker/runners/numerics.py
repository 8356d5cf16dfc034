"""Agree on a job's numerics at its first attempt, and apply them at every later one."""

from dataclasses import replace
from typing import TYPE_CHECKING

from app.core.settings import get_settings
from app.services.job_spec import Generate, Train, Translate
from app.services.jobs import attempts
from app.services.views import JobView

if TYPE_CHECKING:  # torch takes seconds to import
    from worker.training.numerics import Numerics


def agree_numerics(job: JobView, fence: int) -> "Numerics":
    """Return the job's numerics and set this process up for them. Call it before any tensor is computed.

    Record an event `exactness_lost` if this machine cannot reproduce the first attempt's results bit for bit. Raises
    TooFewDevices.
    """
    from worker.training import numerics

    here = _local_numerics(job)
    stored = attempts.agree_numerics(job.id, fence, here.as_dict())
    agreed, reason = numerics.reconcile(numerics.Numerics.from_dict(stored), here)
    if reason is not None:
        attempts.record_event(job.id, fence, "exactness_lost", {"reason": reason})
    numerics.require_devices(agreed)
    numerics.apply(agreed)
    return agreed


def _local_numerics(job: JobView) -> "Numerics":
    """Return the numerics that this machine would use. Bulk jobs compute as the engine does, to give equal pictures."""
    import torch

    from worker.training import numerics

    settings, spec = get_settings(), job.spec
    devices = spec.devices if isinstance(spec, Train) else 1
    here = numerics.local_numerics(settings.device, spec.recipe, settings.threads, devices, settings.slots)
    if not isinstance(spec, Generate | Translate):
        return here
    threads = settings.threads or torch.get_num_threads()
    return replace(here, threads=threads, precision="fp32", deterministic=False)
