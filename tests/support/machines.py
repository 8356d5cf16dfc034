"""The instruction set as an argument, so that tests of numbers compute them alike on every x86-64 machine."""

AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
"""The environment in which torch, oneDNN and MKL use nothing beyond AVX2: a new process reads it once, at its start.

MKL_CBWR=COMPATIBLE is the only branch of MKL that Intel's and AMD's processors share.
"""
