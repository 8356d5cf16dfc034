"""The commands of docs/operations.md for backup and restore, as written, with a running service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from app.core.settings import CHECKOUT
from tests.conftest import StartService
from tests.support.postgres import Postgres
from tests.support.wait import until

pytestmark = pytest.mark.processes

SECTION = (CHECKOUT / "docs" / "operations.md").read_text().partition("## Backup")[2].partition("\n## ")[0]
SAVE, RESTORE, DUMP, LOAD = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
SAMPLE = "/sample?model=kept&n=4&seed=7"


def run_shell(lines: str, folder: Path, **variables: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "FORGER_HOME"} | variables
    process = subprocess.run(
        ["bash", "-e", "-c", lines], cwd=folder, env=env, check=False, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr


def relative_paths(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of a database by table."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        identifiers = [sql.Identifier(name) for (name,) in tables]
        return {
            name.as_string(): connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall()
            for name in identifiers
        }


def test_backup_of_a_running_service_restores_everything_in_a_new_home(
    start_service: StartService, tmp_path: Path
) -> None:
    """Save the home that FORGER_HOME names; restore to the default home, without FORGER_HOME."""
    first, second = tmp_path / "a home", tmp_path / "var"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    service = start_service(first)
    body = {"kind": "train", "recipe": "gan", "dataset": "ring8", "model": "kept"}
    trained = service.post(**body, budget={"steps": 40})
    service.wait_for(trained, "succeeded")
    files = service.client.get(f"/jobs/{trained}/artifacts").json()["data"]
    sample = service.client.get(SAMPLE)
    assert sample.status_code == 200, sample.text
    paused = service.post(recipe="gan", dataset="ring8", kind="train", budget={"steps": 200_000})
    service.wait_for(paused, "running")
    assert service.client.post(f"/jobs/{paused}/pause").status_code in (200, 202)
    reached = service.wait_for(paused, "paused")["progress"]["step"]
    run_shell(SAVE, tmp_path, FORGER_HOME=str(first))
    job, models = service.job(trained), service.client.get("/models").json()
    service.stop()

    run_shell(RESTORE, tmp_path)
    restored = start_service(second)
    assert restored.job(trained) == job
    assert restored.client.get("/models").json() == models
    assert restored.client.get(f"/jobs/{trained}/artifacts").json()["data"] == files
    for file in files:
        assert restored.client.get(file["href"]).status_code == 200
    assert restored.client.get(SAMPLE).content == sample.content
    assert relative_paths(second / "checkpoints") == relative_paths(first / "checkpoints") != set()
    assert restored.client.post(f"/jobs/{paused}/resume").status_code in (200, 202)
    until(lambda: restored.job(paused)["progress"]["step"] > reached)
    restored.client.post(f"/jobs/{paused}/cancel")


def test_postgresql_dump_restores_every_row(postgres: Postgres, migrated: str, tmp_path: Path) -> None:
    path = f"{postgres.programs}:{os.environ['PATH']}"
    (tmp_path / "backup").mkdir()
    source, target = postgres.create(migrated), postgres.create()
    try:
        run_shell(DUMP, tmp_path, DATABASE_URL=postgres.url(source), PATH=path)
        run_shell(LOAD, tmp_path, DATABASE_URL=postgres.url(target), PATH=path)
        assert rows(postgres.url(target)) == rows(postgres.url(source))
        assert rows(postgres.url(target))['"alembic_version"']
    finally:
        for name in (source, target):
            postgres.drop(name)
