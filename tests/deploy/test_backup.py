"""The lines of docs/operations.md on backup, as they stand there, at a service that works."""

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
SAVING, RESTORING, DUMPING, LOADING = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
SAMPLE = "/sample?model=kept&n=4&seed=7"


def typed(lines: str, folder: Path, **variables: str) -> None:
    env = {name: value for name, value in os.environ.items() if name != "FORGER_HOME"} | variables
    done = subprocess.run(["bash", "-e", "-c", lines], cwd=folder, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_is_saved_from_a_working_service_is_all_there_in_a_new_home(
    start_service: StartService, tmp_path: Path
) -> None:
    """Saved from the home that FORGER_HOME names, and restored where it names none."""
    first, second = tmp_path / "a home", tmp_path / "var"
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    service = start_service(first)
    body = {"kind": "train", "recipe": "gan", "dataset": "ring8", "model": "kept"}
    learned = service.post(**body, budget={"steps": 40})
    service.wait_for(learned, "succeeded")
    files = service.client.get(f"/jobs/{learned}/artifacts").json()["data"]
    drawn = service.client.get(SAMPLE)
    assert drawn.status_code == 200, drawn.text
    paused = service.post(recipe="gan", dataset="ring8", kind="train", budget={"steps": 200_000})
    service.wait_for(paused, "running")
    assert service.client.post(f"/jobs/{paused}/pause").status_code in (200, 202)
    reached = service.wait_for(paused, "paused")["progress"]["step"]
    typed(SAVING, tmp_path, FORGER_HOME=str(first))
    job, models = service.job(learned), service.client.get("/models").json()
    service.stop()

    typed(RESTORING, tmp_path)
    again = start_service(second)
    assert again.job(learned) == job
    assert again.client.get("/models").json() == models
    assert again.client.get(f"/jobs/{learned}/artifacts").json()["data"] == files
    for file in files:
        assert again.client.get(file["href"]).status_code == 200
    assert again.client.get(SAMPLE).content == drawn.content
    assert names(second / "checkpoints") == names(first / "checkpoints") != set()
    assert again.client.post(f"/jobs/{paused}/resume").status_code in (200, 202)
    until(lambda: again.job(paused)["progress"]["step"] > reached)
    again.client.post(f"/jobs/{paused}/cancel")


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All that a database holds, by table."""
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = [sql.Identifier(name) for (name,) in found]
        return {
            name.as_string(): connection.execute(sql.SQL("SELECT * FROM {}").format(name)).fetchall() for name in names
        }


def test_a_dump_of_postgresql_is_all_there_in_an_empty_database(
    postgres: Postgres, migrated: str, tmp_path: Path
) -> None:
    path = f"{postgres.programs}:{os.environ['PATH']}"
    (tmp_path / "backup").mkdir()
    source, target = postgres.create(migrated), postgres.create()
    try:
        typed(DUMPING, tmp_path, DATABASE_URL=postgres.url(source), PATH=path)
        typed(LOADING, tmp_path, DATABASE_URL=postgres.url(target), PATH=path)
        assert rows(postgres.url(target)) == rows(postgres.url(source))
        assert rows(postgres.url(target))['"alembic_version"']
    finally:
        for name in (source, target):
            postgres.drop(name)
