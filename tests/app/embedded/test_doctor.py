"""`forger doctor`: one line for each part of the installation, and the remedy where a part is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.embedded.doctor import MIN_REDIS_VERSION, is_older
from tests.support.forger_command import run_forger
from tests.support.service import CHECKOUT, Service
from tests.support.worker import running_redis

pytestmark = pytest.mark.processes


def run_doctor(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return run_forger({**Service(home).env(), **settings}, "doctor")


def verdicts(process: subprocess.CompletedProcess[str]) -> dict[str, tuple[bool, str]]:
    """Return for each part whether it is good, and its sentence."""
    split = [line.split(maxsplit=2) for line in process.stdout.splitlines()]
    return {name: (verdict == "ok", sentence) for verdict, name, sentence in split}


def test_healthy_machine_is_reported_part_by_part(tmp_path: Path) -> None:
    process = run_doctor(tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    parts = verdicts(process)
    assert list(parts) == ["device", "redis", "database", "disk", "data", "sandbox", "port", "key"]
    assert all(good for good, _ in parts.values())
    assert "does not exist yet" in parts["database"][1]
    assert not (tmp_path / "forger.db").exists()


def test_external_redis_is_reported_with_its_version(tmp_path: Path) -> None:
    with running_redis():
        good, sentence = verdicts(run_doctor(tmp_path, REDIS_URL=f"unix://{get_settings().redis_socket}"))["redis"]
    assert good
    assert not is_older(sentence.split()[-1].rstrip("."), MIN_REDIS_VERSION)


VERSIONS = {"5.0.14": True, "6.0-rc1": True, "6.2.0": False, "10.1": False, "7.4-rc1": False}


@pytest.mark.parametrize(("version", "old"), VERSIONS.items())
def test_redis_versions_are_compared_by_number(version: str, old: bool) -> None:
    assert is_older(version, MIN_REDIS_VERSION) is old


def test_every_missing_part_is_reported_with_its_remedy(tmp_path: Path) -> None:
    process = run_doctor(
        tmp_path,
        FORGER_DATA=str(tmp_path / "nowhere"),
        FORGER_HOST="0.0.0.0",
        FORGER_DEVICE="abacus",
        REDIS_URL="redis://:secret@127.0.0.1:1/0",
        DATABASE_URL="postgresql://forger:secret@127.0.0.1:1/forger",
    )
    assert process.returncode == 1
    parts = verdicts(process)
    bad = {name: sentence for name, (good, sentence) in parts.items() if not good}
    assert list(bad) == ["device", "redis", "database", "data", "key"]
    assert "unset it" in bad["device"]
    assert "correct REDIS_URL" in bad["redis"]
    assert "Check DATABASE_URL" in bad["database"]
    assert "FORGER_API_KEY" in bad["key"]
    assert "secret" not in process.stdout + process.stderr


@pytest.mark.long
def test_old_database_is_reported_and_can_be_migrated(tmp_path: Path) -> None:
    env = Service(tmp_path).env()
    code = "from app.db import migrate; migrate.upgrade('0001')"
    subprocess.run([sys.executable, "-P", "-c", code], env=env, cwd=CHECKOUT, check=True, capture_output=True)
    good, sentence = verdicts(run_doctor(tmp_path))["database"]
    assert not good
    assert "forger migrate" in sentence
    assert run_forger(env, "migrate").returncode == 0
    assert verdicts(run_doctor(tmp_path))["database"][0]


@pytest.mark.long
def test_downloaded_dataset_files_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3"):
        (folder / f"{name}-ubyte.gz").touch()
    settings = {"FORGER_DATA": str(tmp_path / "data")}
    assert "mnist is fetched" in verdicts(run_doctor(tmp_path, **settings))["data"][1]
    (folder / "t10k-labels-idx1-ubyte").touch()
    assert verdicts(run_doctor(tmp_path, **settings))["data"][1].startswith("mnist is here, fashion-mnist is fetched")


def test_port_in_use_is_reported_unless_by_the_homes_own_service(service: Service, tmp_path: Path) -> None:
    good, sentence = verdicts(run_doctor(service.home))["port"]
    assert good
    assert service.url in sentence
    good, sentence = verdicts(run_doctor(tmp_path, FORGER_PORT=service.url.rpartition(":")[2]))["port"]
    assert not good
    assert "set FORGER_PORT to another" in sentence


def test_home_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    good, sentence = verdicts(run_doctor(tmp_path / "file" / "home"))["disk"]
    assert not good
    assert "move FORGER_HOME" in sentence


def test_invalid_setting_is_refused_with_one_sentence(tmp_path: Path) -> None:
    process = run_doctor(tmp_path, FORGER_PORT="abc")
    assert process.returncode == 2
    assert process.stderr == "'FORGER_PORT' is 'abc': write a whole number from 0 to 65535.\n"
