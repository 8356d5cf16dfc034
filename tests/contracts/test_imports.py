"""Imports: the contracts between packages, what fresh interpreters load, and what is packaged."""

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


def packages() -> set[str]:
    folders = (path.parent.relative_to(CHECKOUT) for top in PACKAGES
             for path in (CHECKOUT / top).rglob("__init__.py"))  # fmt: skip
    return {".".join(path.parts) for path in folders}


def test_import_contracts_hold() -> None:
    process = run(str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache")
    assert process.returncode == 0, process.stdout + process.stderr


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
def test_module_does_not_load_torch(module: str) -> None:
    """The contracts read only source; this test also finds what libraries import."""
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    process = run(sys.executable, "-c", code)
    assert process.returncode == 0, process.stderr


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
def test_module_does_not_load_slow_packages(modules: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {modules}; print([name for name in {absent} if name in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


@pytest.mark.processes
def test_client_imports_no_package_of_the_service() -> None:
    """Import every module of the client. tests/forger/test_alone.py shows that its four dependencies suffice."""
    code = (
        "import importlib, json, pkgutil, sys, forger\n"
        "for found in pkgutil.walk_packages(forger.__path__, 'forger.'):\n"
        "    if found.name != 'forger.__main__': importlib.import_module(found.name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    process = run(sys.executable, "-c", code)
    assert process.returncode == 0, process.stderr
    loaded = set(json.loads(process.stdout))
    assert loaded & {*PACKAGES, *HEAVY} == {CLIENT}


def test_recipe_spec_loads_no_heavy_package() -> None:
    code = "import sys, models.spec.resolve; print([n for n in ('numpy', 'PIL', 'sqlalchemy') if n in sys.modules])"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_migrations_folder_does_not_shadow_alembic() -> None:
    assert not (CHECKOUT / "alembic" / "__init__.py").exists()


def test_tests_folder_holds_no_packages() -> None:
    assert list((CHECKOUT / "tests").rglob("__init__.py")) == []


def test_wheel_lists_exactly_the_packages_of_the_client() -> None:
    listed = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(name for name in packages() if name.partition(".")[0] == CLIENT)


def test_every_folder_of_code_is_a_package() -> None:
    folders = {path.parent for top in PACKAGES for path in (CHECKOUT / top).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_init_files_are_empty_except_the_clients() -> None:
    """Code in __init__.py would run with the import of any part of the package."""
    not_empty = [name for name in packages() if (CHECKOUT / name.replace(".", "/") / "__init__.py").read_text().strip()]
    assert not_empty == [CLIENT], "it lists the public names and loads them on first use"


def test_lock_pins_hashes_and_leaves_out_torch() -> None:
    lock = (CHECKOUT / "requirements" / "project.lock").read_text()
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert not any(pin.startswith(("torch", "nvidia", "-")) for pin in pins)
    assert "://" not in lock
