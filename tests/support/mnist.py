"""Small files in the layout of MNIST, and a folder that takes the place of its download server."""

import gzip
import hashlib
import struct
from pathlib import Path

import pytest
import torch

from data.readers import idx


def write_idx(path: Path, values: torch.Tensor) -> bytes:
    """Write an idx file of bytes, gzipped if its name ends in .gz, and return its content."""
    header = struct.pack(f">{1 + values.dim()}I", 0x800 + values.dim(), *values.shape)
    content = header + bytes(values.flatten().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = gzip.compress(content) if path.suffix == ".gz" else content
    path.write_bytes(stored)
    return stored


def write_small_mnist(folder: Path, count: int = 6, suffix: str = "") -> torch.Tensor:
    """Write `count` random training pictures with labels 0, 1, 2 ... and return the pictures."""
    pictures = torch.randint(0, 256, (count, 28, 28), generator=torch.Generator().manual_seed(3))
    write_idx(folder / f"train-images-idx3-ubyte{suffix}", pictures)
    write_idx(folder / f"train-labels-idx1-ubyte{suffix}", torch.arange(count) % 10)
    return pictures


def serve_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let downloads of MNIST come from a folder, with the checksums of its files."""
    checksums = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    source = idx.IdxSet("MNIST", "mnist", f"{folder.as_uri()}/", checksums)
    monkeypatch.setitem(idx.IDX_SETS, "mnist", source)
