"""Numerics: device, precision, threads. With equal numerics equal jobs give equal bytes."""

import os
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from models.errors import JobFailure
from models.spec.estimates.duration import FP32_GENERATORS
from models.spec.estimates.resources import count_parameters
from models.spec.recipe import Recipe

MANY_WEIGHTS = 2_000_000
_THREADS = "/proc/self/task"


@dataclass(frozen=True)
class Numerics:
    """Stored in the job's row at its first attempt; every later attempt uses the same, or says why it cannot."""

    device: str
    capability: str
    threads: int
    precision: str
    torch: str
    deterministic: bool
    devices: int = 1
    """ranks that compute a part of every batch each; `threads` are those of one"""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Numerics":
        return cls(**stored)


class TooFewDevices(JobFailure):
    """The job computes on more devices than this machine has. The message says what to do."""

    code = "too_few_devices"


def measure(device: str, recipe: Recipe, threads: int | None, devices: int = 1, slots: int = 1) -> Numerics:
    """What this machine would use. `device` is "auto", "cpu" or "cuda".

    `threads` None: as many as suit the recipe, of this job's share of the cores where `slots` jobs train at once.
    Threads are shared out among the devices.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind == "cuda":
        major, minor = torch.cuda.get_device_capability()
        capability = f"{torch.cuda.get_device_name()} sm_{major}{minor}"
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capability = torch.backends.cpu.get_cpu_capability()
        # The processor may have bf16 while ONEDNN_MAX_CPU_ISA keeps oneDNN from using it.
        has_bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported() and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
        capability += " bf16" if has_bf16 else ""
    wants_bf16 = recipe.precision == "bf16" or (
        recipe.precision == "auto" and recipe.generator.kind not in FP32_GENERATORS
    )
    precision = "bf16" if wants_bf16 and has_bf16 else "fp32"
    each = max(1, (threads or _threads(recipe, slots)) // devices)
    return Numerics(kind, capability, each, precision, torch.__version__, deterministic=True, devices=devices)


def require_devices(numerics: Numerics) -> None:
    """Raises TooFewDevices."""
    on_cpu = numerics.device == "cpu"
    have = len(os.sched_getaffinity(0)) if on_cpu else torch.cuda.device_count()
    if numerics.devices > 1 and numerics.devices > have:
        raise TooFewDevices(
            f"This job computes on {numerics.devices} devices, and this worker's machine has {have} "
            f"({'cores' if on_cpu else 'GPUs'}). Its bytes depend on their number, so it is not changed: "
            "train it where there are as many, or create it anew for fewer."
        )


def agree(stored: Numerics, here: Numerics) -> tuple[Numerics, str | None]:
    """The numerics to go on with, and the sentence that says why bytes may differ, if they may."""
    reason = difference(stored, here)
    return replace(stored, device=here.device, capability=here.capability, torch=here.torch), reason


def difference(stored: Numerics, here: Numerics) -> str | None:
    """A sentence when this machine cannot give the bytes that the first attempt's machine would have given.

    Threads, precision and the number of devices are settings and are taken over; device, capability and torch are what
    one has.
    """
    parts = [
        f"{name} {was} became {now}"
        for name, was, now in (
            ("device", stored.device, here.device),
            ("capability", stored.capability, here.capability),
            ("torch", stored.torch, here.torch),
        )
        if was != now
    ]
    return f"The job goes on, but its last digits may differ: {', '.join(parts)}." if parts else None


def apply(numerics: Numerics) -> None:
    """Set this process up accordingly. Call before any tensor is computed."""
    torch.set_num_threads(numerics.threads)
    if not numerics.deterministic:  # as an engine computes, with torch's own settings
        return
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or torch refuses every product on a GPU
    # Filling fresh memory would only make undefined reads repeatable, at the price of a pass over every tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32; torch would round a convolution's factors to 10 bits


def hold_cores(numerics: Numerics) -> None:
    """Give each thread of this process's team a core of its own, where the team has all cores. Changes no number.

    Else, when anything else wants a core, the scheduler may put two of the team on the other one. They wait for each
    other at every layer, and whoever waits holds the core: a step then took 25 times as long. What the calling thread
    starts from here on stays on its core too. Linux alone can do this; elsewhere it does nothing.
    """
    alone = numerics.threads == 1 or numerics.devices > 1 or numerics.device != "cpu"
    if sys.platform != "linux" or alone or numerics.threads != len(cores := sorted(os.sched_getaffinity(0))):
        return
    before = set(os.listdir(_THREADS))
    torch.ones(numerics.threads << 16).add_(1)  # the team comes with its first work
    team = sorted(map(int, set(os.listdir(_THREADS)) - before))
    for thread, core in zip([0, *team], cores, strict=False):
        os.sched_setaffinity(thread, {core})


def _threads(recipe: Recipe, slots: int) -> int:
    """One for players on points and strings, up to two for small convolutional ones, one per core for large ones.

    Threads of small layers wait for each other more than they compute, and when anything else wants a core, a layer
    waits for its slowest thread.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // slots)
    weights = count_parameters(recipe)
    if weights.generator + weights.critic > MANY_WEIGHTS:
        return cores
    return 1 if recipe.generator.kind in FP32_GENERATORS else min(2, cores)
