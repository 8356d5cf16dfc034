"""Instruction sets for child processes: tests that compare numbers compute them alike on every x86-64 machine."""

import os

from app.core.settings import CHECKOUT

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
"""Limits torch, oneDNN and MKL to AVX2. Set these variables before the process starts: each is read once.

MKL_CBWR=COMPATIBLE selects the code path of MKL that Intel and AMD processors share.
"""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child process that runs this checkout's code with AVX2."""
    return {**os.environ, **AVX2, "PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0", **more}
