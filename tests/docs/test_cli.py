"""Every command and every line of Python in docs/cli.md works as written."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.support import cli_page
from tests.support.service import Service


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page names."""
    folder = tmp_path_factory.mktemp("files")
    cli_page.write_files(folder)
    return folder


@pytest.fixture(scope="module")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with `forger` and the Python of the tests."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "forger"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m forger "$@"\n')
    command.chmod(0o755)
    return os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="module")
def env(service: Service, folder: Path, search_path: str) -> dict[str, str]:
    """The environment of a shell, with a running service that has the models that the page names."""
    env = service.env() | {"PATH": search_path}
    for options in ("gumbel_gan", "pix2pix --dataset digits", "srgan", "inpaint", "cyclegan --set data.side=16"):
        run_line(f"forger train {options} --steps 1 --follow", folder, env)
    return env


def run_line(line: str, folder: Path, env: dict[str, str]) -> None:
    process = subprocess.run(
        line, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=180, check=False
    )
    assert process.returncode == 0, f"{line}\n{process.stdout}{process.stderr}"


def newest_experiment(service: Service) -> list[str]:
    """Return the ids of its jobs."""
    newest = service.client.get("/experiments?limit=1").json()["data"][0]
    return [job["id"] for job in service.client.get(newest["links"]["self"]).json()["jobs"]]


def newest_job(service: Service) -> str:
    return str(service.client.get("/jobs?limit=1").json()["data"][0]["id"])


def newest_checkpoint(service: Service) -> str:
    return str(service.client.get(f"/jobs/{newest_job(service)}/checkpoints").json()["data"][0]["id"])


@pytest.mark.long
def test_every_command_of_the_page_succeeds(service: Service, folder: Path, env: dict[str, str]) -> None:
    lines = [line for block in cli_page.blocks("sh") for line in block.splitlines()]
    assert len(lines) > 25
    for line in map(cli_page.with_few_steps, lines):
        run_line(line, folder, env)
        if line.startswith(("forger train cdcgan", "forger extend")):
            env["CHECKPOINT"] = newest_checkpoint(service)
        if line.startswith("forger experiment ring.json --follow"):
            env["ONE"], env["OTHER"] = newest_experiment(service)
        if line.startswith("forger jobs pause"):
            service.wait_for(newest_job(service), "paused")
        if line.startswith("forger jobs cancel"):
            service.wait_for(newest_job(service), "cancelled")
    for name in ("sevens.png", "night.png", "pets.png", "table.png", "two.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
@pytest.mark.usefixtures("env")
def test_every_python_block_of_the_page_runs(service: Service, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FORGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    output = io.StringIO()
    with redirect_stdout(output):
        for block in cli_page.blocks("python"):
            exec(cli_page.with_few_json_steps(block), names)
    names["forger"].close()
    assert "succeeded" in output.getvalue()
    assert "no_such_class" in output.getvalue()
    assert (folder / "export.safetensors").exists()
