"""Select the environment variables of each child process: only those that it needs.

A name that ends in * stands for all names with that beginning. Case does not matter, as for settings.
"""

import os
from fnmatch import fnmatchcase
from pathlib import Path

PLAIN = ("PATH", "HOME", "USER", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH")
PYTHON = (*PLAIN, "PYTHON*", "VIRTUAL_ENV")
COMPUTING = (
    "ATEN_*", "CUBLAS_*", "CUDA_*", "CUDNN_*", "DNNL_*", "GLIBC_TUNABLES", "GLOO_*", "GOMP_*", "KMP_*", "MALLOC_*",
    "MKL_*", "NCCL_*", "NVIDIA_*", "OMP_*", "ONEDNN_*", "OPENBLAS_*", "PYTORCH_*", "TORCH*", "TRITON_*",
)  # fmt: skip
"""variables of the numerical libraries"""
FETCHING = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_*")
"""variables for downloads of datasets"""
DATABASE = ("DATABASE_URL", "PG*")
BROKER = ("REDIS_URL",)
KEY = ("FORGER_API_KEY",)
SECRET = frozenset(KEY)
"""variables that only their own name selects, never a pattern"""
SETTINGS = ("FORGER_*",)

READER = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
"""variables of a process that reads untrusted uploads: no secret, no address"""
API = (*PYTHON, *COMPUTING, *SETTINGS, *DATABASE, *BROKER, *KEY)
WORKER = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS, *DATABASE, *BROKER)
INFERENCE = (*PYTHON, *COMPUTING, *SETTINGS, *BROKER)
PORTER = (*PYTHON, *COMPUTING)
"""variables of a process that writes models as files for use without Forger: no secret, no address"""
RUNNER = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS, *DATABASE)
RANK = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS)
REDIS = PLAIN


def select(names: tuple[str, ...], **extra: str) -> dict[str, str]:
    """Return the variables of this process's environment that match `names`, together with `extra`."""
    return {name: value for name, value in os.environ.items() if _matches(name, names)} | extra


def python_path(first: Path) -> str:
    """Return PYTHONPATH with `first` before its other folders."""
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))


def _matches(name: str, names: tuple[str, ...]) -> bool:
    if name.upper() in SECRET:
        return name.upper() in names
    return any(fnmatchcase(name.upper(), pattern) for pattern in names)
