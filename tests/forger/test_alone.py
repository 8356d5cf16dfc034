"""The client alone: its wheel and its dependencies in an environment of their own, beside files called as ours are."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.packages import PACKAGES
from tests.support.service import CHECKOUT, Service

pytestmark = pytest.mark.long

NO_REGISTRY = ("NewConnectionError", "Temporary failure in name resolution", "Max retries exceeded", "ProxyError")
WORK = """
import json, sys
from importlib.metadata import distributions
from forger import Forger

with Forger(sys.argv[1]) as forger:
    job = forger.train("gan", dataset="digits", budget={"steps": 2}).wait()
    forger.train("gan", dataset="digits", seed=2, budget={"steps": 2}).wait()
    drawn = forger.sample(n=4, model=job.model)
    drawn.save("four.png")
    try:
        drawn.image()
        told = ""
    except ModuleNotFoundError as error:
        told = str(error)
    shown = forger.jobs()._repr_html_()
installed = sorted(one.metadata["Name"] for one in distributions())
print(json.dumps({"job": repr(job), "told": told, "shown": shown, "installed": installed}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the checkout, which holds every package of ours."""
    source, out = tmp_path_factory.mktemp("source") / "forger", tmp_path_factory.mktemp("wheel")
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    for name in PACKAGES:
        shutil.copytree(CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(out), str(source)]
    run(sys.executable, "-m", "pip", *build)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def alone(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has the client and what it depends on, by a lock of its own."""
    venv = tmp_path_factory.mktemp("alone") / "venv"
    run(sys.executable, "-m", "venv", venv)
    pip = (venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check")
    lock = CHECKOUT / "requirements" / "forger.lock"
    done = attempt(*pip, "--require-hashes", "-r", lock)
    if done.returncode and any(sign in done.stderr for sign in NO_REGISTRY):
        pytest.skip(f"The client alone was not tried: no package registry answers ({done.stderr.splitlines()[-1]})")
    assert done.returncode == 0, done.stderr
    run(*pip, "--no-index", wheel)
    return venv / "bin"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The folder of a person whose own files are called as packages of ours are."""
    for name in PACKAGES:
        if name != "forger":
            (tmp_path / f"{name}.py").write_text("raise SystemExit('The wrong one was imported.')\n")
    return tmp_path


def attempt(*command: str | Path, cwd: Path | None = None, **own: str) -> subprocess.CompletedProcess[str]:
    """In an environment that knows no checkout and no service but `own`."""
    clean = {name: os.environ[name] for name in os.environ if not name.startswith(("FORGER_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=clean | own, capture_output=True, text=True, check=False)


def run(*command: str | Path, cwd: Path | None = None, **own: str) -> str:
    done = attempt(*command, cwd=cwd, **own)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (metadata,) = (packed.read(name).decode() for name in names if name.endswith("/METADATA"))
    version = wheel.name.split("-")[1]
    assert {name.partition("/")[0] for name in names} == {"forger", f"forger-{version}.dist-info"}
    assert "forger/py.typed" in names
    needed = {line.split(": ")[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    assert {name.partition("<")[0].partition(">")[0] for name in needed if "extra" not in name} == {
        "httpx2",
        "pydantic",
        "rich",
        "typer",
    }


def test_a_job_is_trained_and_drawn_from_beside_files_called_as_ours(alone: Path, desk: Path, service: Service) -> None:
    (desk / "work.py").write_text(WORK)
    told = json.loads(run(alone / "python", "work.py", service.url, cwd=desk))
    assert "succeeded" in told["job"]
    assert "gan on digits" in told["shown"]
    assert "pip install pillow" in told["told"]
    assert not {"torch", "fastapi", "numpy", "pillow", "sqlalchemy"} & {name.lower() for name in told["installed"]}
    assert (desk / "four.png").read_bytes().startswith(b"\x89PNG")
    own = {"FORGER_HOME": str(service.home)}
    for command in ((alone / "forger",), (alone / "python", "-m", "forger")):
        assert "gan-digits@1" in run(*command, "jobs", cwd=desk, **own)
    assert "Settings to turn" in run(alone / "forger", "recipes", "show", "cdcgan", cwd=desk, **own)
    jobs = [job["id"] for job in json.loads(run(alone / "forger", "jobs", "--json", cwd=desk, **own))["data"]]
    assert "/seed" in run(alone / "forger", "compare", *jobs[:2], "--out", "two.png", cwd=desk, **own)
    assert (desk / "two.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["serve", "doctor", "migrate"])
def test_what_needs_the_service_says_where_it_runs(alone: Path, desk: Path, command: str) -> None:
    assert "Usage" in run(alone / "forger", "--help", cwd=desk)
    for forger in ((alone / "forger",), (alone / "python", "-m", "forger")):
        done = attempt(*forger, command, cwd=desk)
        (sentence,) = done.stderr.splitlines()
        assert done.returncode == 2
        assert sentence.startswith(f"`forger {command}` runs from a checkout of Forger or from its image")
        assert "make setup" in sentence


def test_the_checkout_runs_its_own_service_beside_files_called_as_ours(desk: Path) -> None:
    """`python -m` puts the folder before everything else."""
    own = {"PYTHONPATH": str(CHECKOUT), "FORGER_HOME": str(desk / "home")}
    assert "ok   database" in run(sys.executable, "-m", "forger", "doctor", cwd=desk, **own)
