"""Checkpoints: everything needed to go on training, written so that no crash leaves half of one."""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from models import durable


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
    """Write a checkpoint, whole or not at all. Its name carries step and attempt."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getbuffer()
    path = folder / f"step-{state['step']:09d}-a{attempt}.pt"
    with durable.whole(path) as incoming:
        incoming.write_bytes(content)
    return Saved(state["step"], path, hashlib.sha256(content).hexdigest(), len(content))


def find(folder: Path, step: int) -> Path:
    """Find the checkpoint of this step, of the newest attempt that saved one. Raises DamagedCheckpoint."""
    found = folder.glob(f"step-{step:09d}-a*.pt")
    newest = max(found, key=lambda path: int(path.stem.rpartition("-a")[2]), default=None)
    if newest is None:
        raise DamagedCheckpoint(f"The checkpoint of step {step} is missing.")
    return newest


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
