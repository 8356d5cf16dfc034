"""Published dataset files on this machine, and the mark that skips a test without them."""

import os
from pathlib import Path

import pytest

FILES = Path(os.environ["FORGER_DATA"]) if os.environ.get("FORGER_DATA") else None


def needs_file(*parts: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where FORGER_DATA does not hold this file."""
    exists = FILES is not None and FILES.joinpath(*parts).exists()
    return pytest.mark.skipif(not exists, reason=f"{'/'.join(parts)} is not in FORGER_DATA")
