"""Measure how fast this machine computes, in 0.3 s and without torch, to estimate training times."""

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.spec.estimates.duration import Speed

MEASUREMENT_S, REPETITIONS = 0.02, 5
"""seconds per measurement, and measurements per kind of work: the best one counts, because other load varies"""
MATRIX_SIDE = 60
"""side of the multiplied matrices: they fit into the cache, and the library stays on one core"""
ARRAY_LENGTH = 4 << 20
"""numbers of an array that is larger than any cache"""
_BF16 = {"avx512_bf16", "amx_bf16"}


@lru_cache
def measure_speed() -> Speed:
    """Return the speed of one core, measured once per process."""
    matrix, far = np.ones((MATRIX_SIDE, MATRIX_SIDE), np.float32), np.ones(ARRAY_LENGTH, np.float32)
    out, copy, some = np.empty_like(matrix), np.empty_like(far), [0]

    def call() -> None:
        for number in range(100):
            some[0] = number

    return Speed(
        products=MATRIX_SIDE**3 * _rate(lambda: np.matmul(matrix, matrix, out=out)),
        numbers=ARRAY_LENGTH * _rate(lambda: np.copyto(copy, far)),
        calls=_rate(call),
        bf16=_has_bf16(),
    )


def _rate(work: Callable[[], object]) -> float:
    """Return how many times per second `work` can run."""
    # The first call allocates memory.
    work()
    return max(_timed(work) for _ in range(REPETITIONS))


def _timed(work: Callable[[], object]) -> float:
    began, done = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < MEASUREMENT_S:
        work()
        done += 1
    return done / took


def _has_bf16() -> bool:
    """Return whether oneDNN computes in bf16 on this machine."""
    if "ONEDNN_MAX_CPU_ISA" in os.environ:
        return False
    flags = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), "")
    return not _BF16.isdisjoint(flags.split())
