"""Environment variables of each child process: those that it needs, by name, and no others.

A name that ends in * stands for all that begin so. Case does not matter, as it does not in settings.
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
"""how numbers are computed"""
FETCHING = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_*")
"""the way to datasets that are downloaded"""
DATABASE = ("DATABASE_URL", "PG*")
BROKER = ("REDIS_URL",)
KEY = ("FORGER_API_KEY",)
SECRET = frozenset(KEY)
"""settings that no other group brings along"""
SETTINGS = ("FORGER_*",)

READER = ("PATH", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH")
"""of a process that reads what strangers send: no secret, no address"""
API = (*PYTHON, *COMPUTING, *SETTINGS, *DATABASE, *BROKER, *KEY)
WORKER = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS, *DATABASE, *BROKER)
INFERENCE = (*PYTHON, *COMPUTING, *SETTINGS, *BROKER)
RUNNER = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS, *DATABASE)
RANK = (*PYTHON, *COMPUTING, *FETCHING, *SETTINGS)
REDIS = PLAIN


def only(names: tuple[str, ...], **own: str) -> dict[str, str]:
    """Of this process's environment what `names` names, and `own` beside it."""
    return {name: value for name, value in os.environ.items() if _named(name, names)} | own


def python_path(first: Path) -> str:
    """PYTHONPATH with a folder before the others."""
    return os.pathsep.join(filter(None, (str(first), os.environ.get("PYTHONPATH"))))


def _named(name: str, names: tuple[str, ...]) -> bool:
    if name.upper() in SECRET:
        return name.upper() in names
    return any(fnmatchcase(name.upper(), pattern) for pattern in names)
