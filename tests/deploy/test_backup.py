"""The lines of docs/operations.md on backup, as they stand there, at a service that works."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT
from tests.conftest import StartService
from tests.support.wait import until

pytestmark = pytest.mark.processes

SECTION = (CHECKOUT / "docs" / "operations.md").read_text().partition("## Backup")[2].partition("\n## ")[0]
SAVING, RESTORING, *_ = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)
SAMPLE = "/sample?model=kept&n=4&seed=7"


def typed(lines: str, folder: Path) -> None:
    done = subprocess.run(["bash", "-e", "-c", lines], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_is_saved_from_a_working_service_is_all_there_in_a_new_home(
    start_service: StartService, tmp_path: Path
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    service = start_service(tmp_path / "var")
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
    typed(SAVING, tmp_path)
    job, models = service.job(learned), service.client.get("/models").json()
    service.stop()
    (tmp_path / "var").rename(tmp_path / "lost")

    typed(RESTORING, tmp_path)
    again = start_service(tmp_path / "var")
    assert again.job(learned) == job
    assert again.client.get("/models").json() == models
    assert again.client.get(f"/jobs/{learned}/artifacts").json()["data"] == files
    for file in files:
        assert again.client.get(file["href"]).status_code == 200
    assert again.client.get(SAMPLE).content == drawn.content
    assert names(tmp_path / "var" / "checkpoints") == names(tmp_path / "lost" / "checkpoints") != set()
    assert again.client.post(f"/jobs/{paused}/resume").status_code in (200, 202)
    until(lambda: again.job(paused)["progress"]["step"] > reached)
    again.client.post(f"/jobs/{paused}/cancel")
