"""Measures how fast this machine computes, in a third of a second and without torch: training times follow from it."""

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.spec.estimates.duration import Speed

PART_S, PARTS = 0.02, 5
"""how long each kind of work is measured, and how often: the best counts, for other work comes and goes"""
SIDE = 60
"""of the matrices multiplied: small enough for the cache, and for a library to stay on one core"""
NUMBERS = 4 << 20
"""of an array that no cache holds"""
_BF16 = {"avx512_bf16", "amx_bf16"}


@lru_cache
def measured() -> Speed:
    """Return the speed of one core, measured once per process."""
    matrix, far = np.ones((SIDE, SIDE), np.float32), np.ones(NUMBERS, np.float32)
    out, copy, some = np.empty_like(matrix), np.empty_like(far), [0]

    def call() -> None:
        for number in range(100):
            some[0] = number

    return Speed(
        products=SIDE**3 * _rate(lambda: np.matmul(matrix, matrix, out=out)),
        numbers=NUMBERS * _rate(lambda: np.copyto(copy, far)),
        calls=_rate(call),
        bf16=_has_bf16(),
    )


def _rate(work: Callable[[], object]) -> float:
    """Return how many times a second `work` can be done."""
    work()  # finds its memory
    return max(_timed(work) for _ in range(PARTS))


def _timed(work: Callable[[], object]) -> float:
    began, done = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < PART_S:
        work()
        done += 1
    return done / took


def _has_bf16() -> bool:
    """Whether oneDNN would compute in bf16 here."""
    if "ONEDNN_MAX_CPU_ISA" in os.environ:
        return False
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return not _BF16.isdisjoint(flags.split())
