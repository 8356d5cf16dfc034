"""The client installed by itself: its wheel in an environment of its own, beside files named like our packages."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.client_wheel import attempt, build_wheel, install_client, run
from tests.support.packages import PACKAGES
from tests.support.service import CHECKOUT, Service

pytestmark = pytest.mark.long


CLIENT_SCRIPT = """
import json, sys
from importlib.metadata import distributions
from forger import Forger

with Forger(sys.argv[1]) as forger:
    job = forger.train("gan", dataset="digits", budget={"steps": 2}).wait()
    forger.train("gan", dataset="digits", seed=2, budget={"steps": 2}).wait()
    sample = forger.sample(n=4, model=job.model)
    sample.save("four.png")
    try:
        sample.image()
        message = ""
    except ModuleNotFoundError as error:
        message = str(error)
    html = forger.jobs()._repr_html_()
    job.plot().save("curves.svg")
installed = sorted(distribution.metadata["Name"] for distribution in distributions())
print(json.dumps({"job": repr(job), "message": message, "html": html, "installed": installed}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the checkout with all of its packages."""
    return build_wheel(tmp_path_factory.mktemp("source") / "forger", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def client_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with only the client and its locked dependencies."""
    return install_client(wheel, tmp_path_factory.mktemp("alone") / "venv")


@pytest.fixture
def user_folder(tmp_path: Path) -> Path:
    """A user's folder with files that are named like our packages."""
    for name in PACKAGES:
        if name != "forger":
            (tmp_path / f"{name}.py").write_text("raise SystemExit('The wrong one was imported.')\n")
    return tmp_path


def test_wheel_holds_only_the_client_and_its_dependencies(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))
    version = wheel.name.split("-")[1]
    assert {name.partition("/")[0] for name in names} == {"forger", f"forger-{version}.dist-info"}
    assert "forger/py.typed" in names
    required = {line.split(": ")[1] for line in metadata.splitlines() if line.startswith("Requires-Dist")}
    assert {name.partition("<")[0].partition(">")[0] for name in required if "extra" not in name} == {
        "httpx2",
        "pydantic",
        "rich",
        "typer",
    }


def test_client_works_beside_files_named_like_our_packages(
    client_bin: Path, user_folder: Path, service: Service
) -> None:
    (user_folder / "work.py").write_text(CLIENT_SCRIPT)
    printed = json.loads(run(client_bin / "python", "work.py", service.url, cwd=user_folder))
    assert "succeeded" in printed["job"]
    assert "gan on digits" in printed["html"]
    assert "pip install pillow" in printed["message"]
    assert not {"torch", "fastapi", "numpy", "pillow", "sqlalchemy"} & {name.lower() for name in printed["installed"]}
    assert (user_folder / "four.png").read_bytes().startswith(b"\x89PNG")
    assert (user_folder / "curves.svg").read_text().startswith("<svg")
    env = {"FORGER_HOME": str(service.home)}
    for command in ((client_bin / "forger",), (client_bin / "python", "-m", "forger")):
        assert "gan-digits@1" in run(*command, "jobs", cwd=user_folder, **env)
    assert "Settings to turn" in run(client_bin / "forger", "recipes", "show", "cdcgan", cwd=user_folder, **env)
    jobs = [
        job["id"] for job in json.loads(run(client_bin / "forger", "jobs", "--json", cwd=user_folder, **env))["data"]
    ]
    assert "/seed" in run(client_bin / "forger", "compare", *jobs[:2], "--out", "two.png", cwd=user_folder, **env)
    assert (user_folder / "two.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", ["serve", "doctor", "migrate"])
def test_server_commands_of_the_client_explain_where_they_run(
    client_bin: Path, user_folder: Path, command: str
) -> None:
    assert "Usage" in run(client_bin / "forger", "--help", cwd=user_folder)
    for forger in ((client_bin / "forger",), (client_bin / "python", "-m", "forger")):
        completed = attempt(*forger, command, cwd=user_folder)
        (sentence,) = completed.stderr.splitlines()
        assert completed.returncode == 2
        assert sentence.startswith(f"`forger {command}` runs from a checkout of Forger or from its image")
        assert "make setup" in sentence


def test_checkout_runs_beside_files_named_like_our_packages(user_folder: Path) -> None:
    """`python -m` searches the current folder first."""
    env = {"PYTHONPATH": str(CHECKOUT), "FORGER_HOME": str(user_folder / "home")}
    assert "ok   database" in run(sys.executable, "-m", "forger", "doctor", cwd=user_folder, **env)
