"""A reader of docs/extending.md types its blocks in order, and everything works."""

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
LATER = ("bench.gallery", "forger train")
"""in commands that train for minutes"""
STYLE = ".venv/bin/ruff check --fix --quiet && .venv/bin/ruff format --quiet && .venv/bin/ruff check"
Run = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy, with the environment of this one."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    return tmp_path


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the type checker found in one walk saves it most of its work in the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def run(checkout: Path, types: Path) -> Run:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTEST_"))}
    environment |= {"MYPY_CACHE_DIR": str(types), "GOMP_SPINCOUNT": "0"}

    def run(command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=checkout, shell=True, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.long
@pytest.mark.parametrize("title", WALKS)
def test_a_walk_ends_where_it_says(title: str, checkout: Path, run: Run) -> None:
    text = section(title)
    walk(text, checkout)
    for command in (*commands(text), STYLE):
        if any(word in command for word in LATER):
            continue
        done = run(command.replace("tests/docs/test_docs.py -k", "-k"))  # there it is asked what the gallery leaves
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_every_place_that_a_walk_names_is_there(checkout: Path) -> None:
    for title in WALKS:
        walk(section(title), checkout)


@pytest.mark.long
def test_the_type_checker_names_what_a_new_value_has_not_been_to(checkout: Path, run: Run) -> None:
    first, _, _ = section("A generator: ").partition("\n2. ")
    walk(first, checkout)
    found = run(".venv/bin/mypy").stdout.splitlines()
    named = {line.partition(":")[0] for line in found if "assert_never" in line}
    assert named == {"models/build.py", "models/spec/estimates/generator_sizes.py"}
    assert all(f"`{name}`" in first for name in named)
