"""Checkpoints: everything needed to go on training, written so that no crash leaves half of one."""

import hashlib
import io
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class DamagedCheckpoint(Exception):
    """The file is missing, or is not the one that was recorded."""


@dataclass(frozen=True)
class Saved:
    """A checkpoint on the disk."""

    step: int
    path: Path
    sha256: str
    size: int


def save(state: dict[str, Any], folder: Path, attempt: int) -> Saved:
    """Write to a temporary name, sync, rename, sync the folder. The name carries step and attempt."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    path = folder / f"step-{state['step']:09d}-a{attempt}.pt"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(folder)
    return Saved(state["step"], path, hashlib.sha256(content).hexdigest(), len(content))


def find(folder: Path, step: int) -> Path:
    """The checkpoint of this step, of whatever attempt: they are equal. Raises DamagedCheckpoint where it is gone."""
    found = sorted(folder.glob(f"step-{step:09d}-a*.pt"))
    if not found:
        raise DamagedCheckpoint(f"The checkpoint of step {step} is missing.")
    return found[-1]


def load(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """The state, on the CPU. With `sha256` the bytes are verified first. Raises DamagedCheckpoint."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DamagedCheckpoint(f"The checkpoint {path.name} cannot be read: {error.strerror}.") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedCheckpoint(f"The checkpoint {path.name} is not the file that was recorded.")
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise DamagedCheckpoint(f"The checkpoint {path.name} cannot be read.") from error
    return state


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
