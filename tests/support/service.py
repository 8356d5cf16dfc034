"""A real service in processes of its own: `forger serve` with its own home and a free port."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import httpx2 as httpx
import psutil

from app.core.settings import Settings
from tests.support.wait import until

CHECKOUT = Path(__file__).resolve().parents[2]
TERMINAL = {"succeeded", "failed", "cancelled"}
_SETTING_NAMES = ("FORGER_", "DATABASE_URL", "REDIS_URL")


class Service:
    """A service: `start` returns once it is ready; `client` sends requests to it."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.home = home
        self.log = home / "serve.log"
        self.output = home / "serve.out"
        self._settings = settings
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client()

    def start(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, self.output.open("ab") as output:
            self.process = subprocess.Popen(self.command(), env=self.env(), cwd=CHECKOUT, stdout=output, stderr=log)
        started = self.process
        until(lambda: started.poll() is not None or self._published() == started.pid)
        assert started.poll() is None, self.log.read_text()
        self.client = httpx.Client(base_url=self.url, timeout=120)
        until(self.ready)
        return self

    def command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "forger", "serve"]

    @property
    def files(self) -> Path:
        """The path of its home in this process."""
        return self.home

    def env(self) -> dict[str, str]:
        """Return this process's environment with the settings of this service only."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(_SETTING_NAMES)}
        defaults = {"FORGER_HOME": str(self.home), "FORGER_PORT": "0", "FORGER_LEASE_S": "2", "FORGER_THREADS": "1"}
        return {**clean, "PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0", **defaults, **self._settings}

    @property
    def url(self) -> str:
        return str(json.loads((self.files / "service.json").read_text())["url"])

    @property
    def redis_socket(self) -> Path:
        return Settings(home=self.home).redis_socket

    def ready(self) -> bool:
        try:
            return self.client.get("/livez").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Send SIGTERM; return the exit status."""
        self.client.close()
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)

    def kill(self) -> None:
        """Send SIGKILL to `forger serve` itself."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.client.close()

    def descendants(self) -> list[psutil.Process]:
        assert self.process is not None
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def find(self, *words: str) -> psutil.Process | None:
        """Return a descendant whose command line has all the words."""
        for process in self.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                if all(word in " ".join(process.cmdline()) for word in words):
                    return process
        return None

    def worker(self) -> psutil.Process | None:
        return self.find("worker.celery_app")

    def runner(self, job_id: str) -> psutil.Process | None:
        return self.find("worker.runners.main", job_id)

    def post(self, **body: Any) -> str:
        """Create a job; return its id."""
        reply = self.client.post("/jobs", json=body)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        reply = self.client.get(f"/jobs/{job_id}")
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def wait_for(self, job_id: str, *states: str, within_s: float = 120) -> dict[str, Any]:
        """Wait until the job is in one of the states; return it. Fails at once if the job ends in another."""

        def find() -> dict[str, Any] | None:
            job = self.job(job_id)
            if job["state"] in states:
                return job
            assert job["state"] not in TERMINAL, job
            return None

        found = until(find, within_s=within_s, every_s=0.05)
        assert found is not None
        return found

    def _published(self) -> int | None:
        with contextlib.suppress(FileNotFoundError):
            return int(json.loads((self.files / "service.json").read_text())["pid"])
        return None


def end(process: psutil.Process, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
