"""Who may import whom, as contracts and in fresh interpreters; what is packaged."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT
from tests.support.packages import PACKAGES

CLIENT = "forger"
HEAVY = ("torch", "numpy", "PIL", "matplotlib", "fastapi", "sqlalchemy", "pydantic_settings")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def test_the_import_contracts_hold() -> None:
    done = run(str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.processes
@pytest.mark.parametrize(
    "module",
    [
        "app.main",
        "forger.cli.root",
        "app.services.inference.remote_engine",
        "worker.celery_app",
        "worker.tasks",
        "worker.supervisor",
        "serving.protocol",
        "models.spec.resolve",
    ],
)
def test_torch_stays_out_of(module: str) -> None:
    """The contracts read source; this sees what a library or a package's own file brings along."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.processes
@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("app.main", ("celery", "kombu", "redis", "alembic", "sklearn", "sqlalchemy.dialects.postgresql")),
        ("forger.cli.root", ("fastapi", "sqlalchemy", "numpy", "PIL", "pydantic")),
        ("worker.runners.main", ("torch", "celery", "kombu", "redis", "fastapi")),
        ("worker.training.loop, data.readers.builtin", ("celery", "sqlalchemy", "scipy", "sklearn")),
    ],
)
def test_what_takes_long_to_import_comes_when_it_is_needed(modules: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {modules}; print([name for name in {absent} if name in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


@pytest.mark.processes
def test_the_client_imports_nothing_of_ours() -> None:
    """Whatever part of it is imported; that its four dependencies are enough, tests/forger/test_alone.py shows."""
    code = (
        "import importlib, json, pkgutil, sys, forger\n"
        "for found in pkgutil.walk_packages(forger.__path__, 'forger.'):\n"
        "    if found.name != 'forger.__main__': importlib.import_module(found.name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = run(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert loaded & {*PACKAGES, *HEAVY} == {CLIENT}


def test_the_spec_needs_nothing_heavy() -> None:
    code = "import sys, models.spec.resolve; print([n for n in ('numpy', 'PIL', 'sqlalchemy') if n in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_migrations_do_not_shadow_the_library() -> None:
    assert not (CHECKOUT / "alembic" / "__init__.py").exists()


def test_tests_shadow_no_package() -> None:
    assert list((CHECKOUT / "tests").rglob("__init__.py")) == []


def packages() -> set[str]:
    found = (path.parent.relative_to(CHECKOUT) for top in PACKAGES
             for path in (CHECKOUT / top).rglob("__init__.py"))  # fmt: skip
    return {".".join(path.parts) for path in found}


def test_the_client_alone_is_packaged_and_all_of_it() -> None:
    listed = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(name for name in packages() if name.partition(".")[0] == CLIENT)


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for top in PACKAGES for path in (CHECKOUT / top).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_packages_are_empty_doors() -> None:
    """What stands in __init__.py is imported by everyone who wants any part."""
    full = [name for name in packages() if (CHECKOUT / name.replace(".", "/") / "__init__.py").read_text().strip()]
    assert full == [CLIENT], "which names what people import, and loads it when they do"


def test_the_lock_leaves_torch_and_the_machine_out() -> None:
    lock = (CHECKOUT / "requirements" / "project.lock").read_text()
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not any(pin.startswith(("torch", "nvidia", "-")) for pin in pins)
    assert "://" not in lock
