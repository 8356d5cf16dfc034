import subprocess
import sys
from pathlib import Path

from tests.support.service import CHECKOUT, Service


def doctor(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", "doctor"],
        env={**Service(home).env(), **settings},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_healthy_machine_is_told_part_by_part(tmp_path: Path) -> None:
    told = doctor(tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert [line.split()[:2] for line in told.stdout.splitlines()] == [
        ["ok", name] for name in ("device", "redis", "database", "disk", "data", "port")
    ]


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    told = doctor(tmp_path, FORGER_DATA=str(tmp_path / "nowhere"), FORGER_HOST="0.0.0.0")
    assert told.returncode == 1
    bad = [line for line in told.stdout.splitlines() if line.startswith("BAD")]
    assert [line.split()[1] for line in bad] == ["data", "port"]
    assert "FORGER_API_KEY" in bad[1]
