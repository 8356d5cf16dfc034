"""The walks of docs/extending.md work when their blocks are typed in order."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT
from tests.support.walks import commands, section, walk

WALKS = ("An objective: ", "A penalty: ", "A family: ", "A generator: ")
LONG_COMMANDS = ("bench.gallery", "forger train")
"""words of commands that train for minutes and are not run"""
STYLE = ".venv/bin/ruff check --fix --quiet && .venv/bin/ruff format --quiet && .venv/bin/ruff check"
Run = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this checkout that shares its virtual environment."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return tmp_path


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of the type checker, which makes all walks but the first quicker."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def run(checkout: Path, mypy_cache: Path) -> Run:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTEST_"))}
    environment |= {"MYPY_CACHE_DIR": str(mypy_cache), "GOMP_SPINCOUNT": "0"}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=checkout, shell=True, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.long
@pytest.mark.parametrize("title", WALKS)
def test_walk_works_when_typed_in_order(title: str, checkout: Path, run: Run) -> None:
    text = section(title)
    walk(text, checkout)
    for command in (*commands(text), STYLE):
        if any(word in command for word in LONG_COMMANDS):
            continue
        process = run(
            command.replace("tests/docs/test_docs.py -k", "-k")
        )  # test_docs.py would need the gallery's files
        assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"


def test_every_place_named_by_a_walk_exists(checkout: Path) -> None:
    for title in WALKS:
        walk(section(title), checkout)


@pytest.mark.long
def test_type_checker_finds_the_files_that_lack_a_new_network(checkout: Path, run: Run) -> None:
    first, _, _ = section("A generator: ").partition("\n2. ")
    walk(first, checkout)
    output = run(".venv/bin/mypy").stdout.splitlines()
    files = {line.partition(":")[0] for line in output if "assert_never" in line}
    assert files == {"models/build.py", "models/spec/estimates/generator_sizes.py"}
    assert all(f"`{name}`" in first for name in files)
