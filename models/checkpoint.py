"""Checkpoints: write and read the complete state of a training."""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models import durable


class DamagedCheckpoint(Exception):
    """The error of a checkpoint that is missing, unreadable, or not the recorded file."""


@dataclass(frozen=True)
class SavedCheckpoint:
    """A checkpoint on the disk."""

    step: int
    path: Path
    sha256: str
    size: int


def save(state: dict[str, Any], folder: Path, attempt: int) -> SavedCheckpoint:
    """Write a checkpoint atomically. Its name carries step and attempt."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    path = folder / f"step-{state['step']:09d}-a{attempt}.pt"
    with durable.atomic_write(path) as incoming:
        incoming.write_bytes(content)
    return SavedCheckpoint(state["step"], path, hashlib.sha256(content).hexdigest(), len(content))


def path_of_step(folder: Path, step: int) -> Path:
    """Return the path of this step's checkpoint by the newest attempt. Raises DamagedCheckpoint if there is none."""
    paths = folder.glob(f"step-{step:09d}-a*.pt")
    newest = max(paths, key=lambda path: int(path.stem.rpartition("-a")[2]), default=None)
    if newest is None:
        raise DamagedCheckpoint(f"The checkpoint of step {step} is missing.")
    return newest


def load(path: Path, sha256: str | None = None) -> dict[str, Any]:
    """Return the state, on the CPU. With `sha256` verify the bytes first. Raises DamagedCheckpoint."""
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
