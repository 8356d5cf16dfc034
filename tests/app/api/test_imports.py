"""Modules that the API process imports before its first request."""

import subprocess
import sys

import pytest

from tests.support.service import CHECKOUT


@pytest.mark.processes
def test_importing_the_application_does_not_import_torch() -> None:
    code = "import sys, app.main; app.main.create_app(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT).returncode == 0
