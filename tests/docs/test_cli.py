"""docs/cli.md, done line by line: every command and every line of Python works as it is written."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.core.settings import CHECKOUT
from tests.support.service import Service

PAGE = (CHECKOUT / "docs" / "cli.md").read_text()
FEW = "4"
"""steps instead of those of the page"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def quick(line: str) -> str:
    """What is waited for takes few steps."""
    return re.sub(r"--steps \d+", f"--steps {FEW}", line) if "--follow" in line else line


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the page speaks of."""
    folder = tmp_path_factory.mktemp("desk")
    drawn = Image.effect_mandelbrot((33, 21), (-2, -1, 1, 1), 20)
    drawn.convert("RGB").save(folder / "photo.jpg")
    drawn.save(folder / "drawing.png")
    drawn.save(folder / "small.png")
    (folder / "examples").symlink_to(CHECKOUT / "examples")
    (folder / "ring.json").write_text(re.sub(r'"steps": \d+', f'"steps": {FEW}', blocks("json")[0]))
    Image.merge("LA", (drawn, drawn.point(lambda level: 255 * (level > 20)))).save(folder / "hole.png")
    for name in ("cats", "dogs"):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(6):
            Image.effect_noise((20, 16), 40 + number).save(folder / "pets" / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH that finds `forger` and our Python."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "forger"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m forger "$@"\n')
    command.chmod(0o755)
    return os.pathsep.join((str(folder), str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="module")
def env(service: Service, desk: Path, shell: str) -> dict[str, str]:
    """A shell's environment, beside a service that has the models that the page speaks of."""
    env = service.env() | {"PATH": shell}
    for learned in ("gumbel_gan", "pix2pix --dataset digits", "srgan", "inpaint", "cyclegan --set data.side=16"):
        do(f"forger train {learned} --steps 1 --follow", desk, env)
    return env


@pytest.mark.long
def test_every_command_of_the_page_works(service: Service, desk: Path, env: dict[str, str]) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 25
    for line in map(quick, lines):
        do(line, desk, env)
        if line.startswith(("forger train cdcgan", "forger extend")):
            env["CHECKPOINT"] = newest_checkpoint(service)
        if line.startswith("forger experiment ring.json --follow"):
            env["ONE"], env["OTHER"] = newest_experiment(service)
        if line.startswith("forger jobs pause"):
            service.wait_for(newest_job(service), "paused")
        if line.startswith("forger jobs cancel"):
            service.wait_for(newest_job(service), "cancelled")
    for name in ("sevens.png", "night.png", "pets.png", "table.png", "two.png"):
        assert (desk / name).read_bytes().startswith(b"\x89PNG")


def do(line: str, desk: Path, env: dict[str, str]) -> None:
    done = subprocess.run(line, shell=True, cwd=desk, env=env, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def newest_experiment(service: Service) -> list[str]:
    """The ids of its jobs."""
    newest = service.client.get("/experiments?limit=1").json()["data"][0]
    return [job["id"] for job in service.client.get(newest["links"]["self"]).json()["jobs"]]


def newest_job(service: Service) -> str:
    return str(service.client.get("/jobs?limit=1").json()["data"][0]["id"])


def newest_checkpoint(service: Service) -> str:
    return str(service.client.get(f"/jobs/{newest_job(service)}/checkpoints").json()["data"][0]["id"])


@pytest.mark.long
@pytest.mark.usefixtures("env")
def test_every_line_of_python_works(service: Service, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FORGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    monkeypatch.chdir(desk)
    names: dict[str, Any] = {}
    said = io.StringIO()
    with redirect_stdout(said):
        for block in blocks("python"):
            exec(re.sub(r'"steps": \d+', f'"steps": {FEW}', block), names)
    names["forger"].close()
    assert "succeeded" in said.getvalue()
    assert "no_such_class" in said.getvalue()
    assert (desk / "export.safetensors").exists()
