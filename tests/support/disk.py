"""A full file system of a few megabytes, for a service or a command in its own mount namespace."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.support.service import Service

_MOUNT = 'mount -t tmpfs -o size="$1" none "$2" && shift 2 && exec "$@"'
FILLER = "filler"
BLOCK = 4096


def on_disk(folder: Path, size: str, *command: str) -> list[str]:
    """Return a command line that runs the command with the folder as an empty file system of that size.

    Skips the test where no file system can be mounted.
    """
    prefix = ["unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", size, str(folder)]
    try:
        subprocess.run([*prefix, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"No file system can be mounted here: {error}")
    return [*prefix, *command]


class OnSmallDisk(Service):
    """A service whose home, its TMPDIR included, is such a file system; the settings say where its database is."""

    def __init__(self, home: Path, size: str, **settings: str) -> None:
        # The default limit on stored bytes would be reached before the disk is full.
        unlimited = {"FORGER_MAX_STORED_BYTES": str(1 << 40)}
        super().__init__(home, TMPDIR=str(home), XDG_RUNTIME_DIR="/tmp", **unlimited | settings)
        self._size = size

    def command(self) -> list[str]:
        return on_disk(self.home, self._size, *super().command())

    @property
    def files(self) -> Path:
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.home}")

    def fill(self) -> None:
        """Write until no block is free."""
        with (self.files / FILLER).open("ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(BLOCK))

    def make_room(self) -> None:
        (self.files / FILLER).unlink()

    def half_written(self) -> list[str]:
        """Return the files whose names mark them as incomplete."""
        marks = (".incoming", ".tmp", ".part", "upload-")
        names = (str(path.relative_to(self.files)) for path in self.files.rglob("*"))
        return [name for name in names if any(mark in name for mark in marks)]
