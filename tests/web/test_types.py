"""The types that the page's modules declare hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.core.settings import CHECKOUT

WEB = CHECKOUT / "app" / "web"
FLAGS = (
    "--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022", "--module", "es2022",
    "--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable",
)  # fmt: skip


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_types_of_all_modules_hold(tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "tests" / "support" / "typescript", tmp_path, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=tmp_path, check=True)
    modules = [str(path) for path in sorted(WEB.rglob("*.js"))]
    command = ["npx", "tsc", *FLAGS, *modules]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.stdout == ""
    assert checked.returncode == 0
