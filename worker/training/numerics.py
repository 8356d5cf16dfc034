"""Numerics: the device, precision and threads of a job. With equal numerics, equal jobs give the same bits."""

import os
import sys
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from models.errors import JobFailure
from models.spec.estimates.duration import FP32_GENERATORS, prefers_bf16
from models.spec.estimates.resources import count_parameters
from models.spec.recipe import Recipe

MANY_WEIGHTS = 2_000_000
"""number of weights, of generator and critic together, above which a job uses every core"""
_THREADS_FOLDER = "/proc/self/task"


@dataclass(frozen=True)
class Numerics:
    """The numerics of a job. Its row stores those of the first attempt, and later attempts use them or say why not."""

    device: str
    capability: str
    threads: int
    precision: str
    torch: str
    deterministic: bool
    devices: int = 1
    """number of ranks, each of which computes a part of every batch; `threads` is per rank"""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Numerics":
        return cls(**stored)


class TooFewDevices(JobFailure):
    """The job computes on more devices than this machine has. The message says what to do."""

    code = "too_few_devices"


def local_numerics(device: str, recipe: Recipe, threads: int | None, devices: int = 1, slots: int = 1) -> Numerics:
    """Return the numerics that this machine would use. `device` is "auto", "cpu" or "cuda".

    If `threads` is None, the recipe decides their number, within this job's share of the cores if `slots` jobs train at
    once. The threads are divided among the devices.
    """
    kind = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if kind == "cuda":
        major, minor = torch.cuda.get_device_capability()
        capability = f"{torch.cuda.get_device_name()} sm_{major}{minor}"
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capability = torch.backends.cpu.get_cpu_capability()
        # Ask oneDNN too: the processor may have bf16 while ONEDNN_MAX_CPU_ISA keeps oneDNN from using it.
        has_bf16 = torch.ops.mkldnn._is_mkldnn_bf16_supported() and (
            torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        )
        capability += " bf16" if has_bf16 else ""
    precision = "bf16" if prefers_bf16(recipe) and has_bf16 else "fp32"
    per_rank = max(1, (threads or _suitable_threads(recipe, slots)) // devices)
    return Numerics(kind, capability, per_rank, precision, torch.__version__, deterministic=True, devices=devices)


def require_devices(numerics: Numerics) -> None:
    """Check that this machine has the job's devices. Raises TooFewDevices."""
    on_cpu = numerics.device == "cpu"
    available = len(os.sched_getaffinity(0)) if on_cpu else torch.cuda.device_count()
    if numerics.devices > 1 and numerics.devices > available:
        raise TooFewDevices(
            f"This job computes on {numerics.devices} devices, and this worker's machine has {available} "
            f"({'cores' if on_cpu else 'GPUs'}). Its results depend on the number of devices, so "
            "that number is fixed: train the job on a machine that has as many, or create it again for fewer."
        )


def reconcile(stored: Numerics, here: Numerics) -> tuple[Numerics, str | None]:
    """Return the numerics to continue with, and why the results may differ; None if they cannot."""
    reason = difference(stored, here)
    return replace(stored, device=here.device, capability=here.capability, torch=here.torch), reason


def difference(stored: Numerics, here: Numerics) -> str | None:
    """Return a sentence if this machine cannot reproduce the first attempt's results bit for bit, else None.

    Threads, precision and the number of devices are settings that any attempt can use; device, capability and torch
    are properties of the machine.
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
    if not parts:
        return None
    return (
        "The job continues, but its results may differ by rounding from those of an uninterrupted run: "
        f"{', '.join(parts)}."
    )


def apply(numerics: Numerics) -> None:
    """Set this process up for the numerics. Call it before any tensor is computed."""
    torch.set_num_threads(numerics.threads)
    if not numerics.deterministic:  # keep torch's own settings, as the engine does
        return
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else torch refuses every matrix product on a GPU
    # Filling new memory would only make undefined reads repeatable, and costs a pass over every tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # else torch rounds the factors of fp32 convolutions to 10 bits


def pin_threads(numerics: Numerics) -> None:
    """Pin each OpenMP thread of this process to a core of its own, if there are as many threads as cores.

    Otherwise the scheduler may put two of the threads on one core when another process needs the other core. The
    threads wait for each other at every layer, and a waiting thread keeps its core busy: a step took 25 times as long.
    Threads that the calling thread starts later stay on its core too. The results are not affected. Does nothing where
    the system is not Linux.
    """
    one_cpu_team = numerics.device == "cpu" and numerics.devices == 1 and numerics.threads > 1
    if sys.platform != "linux" or not one_cpu_team or numerics.threads != len(cores := sorted(os.sched_getaffinity(0))):
        return
    before = set(os.listdir(_THREADS_FOLDER))
    torch.ones(numerics.threads << 16).add_(1)  # the first work starts the OpenMP threads
    team = sorted(map(int, set(os.listdir(_THREADS_FOLDER)) - before))
    for thread, core in zip([0, *team], cores, strict=False):
        os.sched_setaffinity(thread, {core})


def _suitable_threads(recipe: Recipe, slots: int) -> int:
    """Return one thread for networks of points and strings, two for small convolutional ones, all cores for large ones.

    Threads of small layers wait for each other more than they compute, and when another process needs a core, each
    layer waits for its slowest thread.
    """
    cores = max(1, len(os.sched_getaffinity(0)) // slots)
    weights = count_parameters(recipe)
    if weights.generator + weights.critic > MANY_WEIGHTS:
        return cores
    return 1 if recipe.generator.kind in FP32_GENERATORS else min(2, cores)
