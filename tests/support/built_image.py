"""An image of the Dockerfile without an engine: its packages in a virtual environment, its files below a folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT
from tests.support.image import Stage, lay_out

_OFFLINE = re.compile(
    r"NewConnectionError|name resolution|Connection refused|timed out|ProxyError|Network is unreachable"
)
Command = list[str]


class BuiltImage:
    """A target of the Dockerfile; `install` its packages, then run commands in it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.root = folder / "root"
        self._python = folder / "venv" / "bin"
        lay_out(stage, self.root)

    def install(self) -> None:
        """Install the packages as the Dockerfile does; torch comes from pip's default index, or as TORCH_FLAGS say."""
        subprocess.run([sys.executable, "-m", "venv", self._python.parent], check=True)
        if self.stage.name == "worker":
            self._pip(*os.environ.get("TORCH_FLAGS", "").split(), "-r", "requirements/torch.txt")
        self._pip("--require-hashes", "-r", f"requirements/{self.stage.name}.lock")

    def env(self, port: int, **settings: str) -> dict[str, str]:
        """Return the environment of a container that listens at this port."""
        of_image = {name: value for name, value in self.stage.env.items() if name.startswith("FORGER_")}
        of_machine = {name: os.environ[name] for name in ("TMPDIR", "LANG") if name in os.environ}
        return {
            **of_machine,
            **of_image,
            "PATH": os.pathsep.join((str(self.root / "usr/local/bin"), str(self._python), "/usr/bin", "/bin")),
            "PYTHONPATH": str(self.root) + self.stage.env["PYTHONPATH"],
            "FORGER_PORT": str(port),
            **settings,
        }

    @contextmanager
    def running(self, command: Command, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run the entrypoint with this command; terminate it at the end."""
        workdir = str(self.root) + self.stage.workdir
        with log.open("ab") as out:
            words = [*self.stage.entrypoint, *command]
            process = subprocess.Popen(words, env=env, cwd=workdir, stdout=out, stderr=out, start_new_session=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def healthy(self, env: dict[str, str]) -> bool:
        """Return whether the image's health check succeeds."""
        check = [word.replace(":8000", f":{env['FORGER_PORT']}") for word in self.stage.health]
        return subprocess.run(check, env=env, cwd=self.root, capture_output=True, check=False).returncode == 0

    def _pip(self, *words: str) -> None:
        process = subprocess.run(
            [self._python / "python", "-m", "pip", "install", "--quiet", *words],
            cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if process.returncode and _OFFLINE.search(process.stderr):
            pytest.skip(f"No package index can be reached: {process.stderr.strip().splitlines()[-1]}")
        assert process.returncode == 0, process.stderr
