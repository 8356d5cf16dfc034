import subprocess
import sys
from pathlib import Path

import pytest

from app.core.settings import get_settings
from app.embedded.doctor import MIN_REDIS_VERSION, is_older
from tests.support.service import CHECKOUT, Service
from tests.support.worker import running_redis

pytestmark = pytest.mark.processes


def doctor(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "forger", "doctor"],
        env={**Service(home).env(), **settings},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


def lines(told: subprocess.CompletedProcess[str]) -> dict[str, tuple[bool, str]]:
    """Each part's verdict and sentence."""
    split = [line.split(maxsplit=2) for line in told.stdout.splitlines()]
    return {name: (verdict == "ok", sentence) for verdict, name, sentence in split}


def test_a_healthy_machine_is_told_part_by_part(tmp_path: Path) -> None:
    told = doctor(tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    found = lines(told)
    assert list(found) == ["device", "redis", "database", "disk", "data", "sandbox", "port", "key"]
    assert all(good for good, _ in found.values())
    assert "does not exist yet" in found["database"][1]
    assert not (tmp_path / "forger.db").exists()


def test_a_redis_of_ones_own_tells_its_version(tmp_path: Path) -> None:
    with running_redis():
        good, sentence = lines(doctor(tmp_path, REDIS_URL=f"unix://{get_settings().redis_socket}"))["redis"]
    assert good
    assert not is_older(sentence.split()[-1].rstrip("."), MIN_REDIS_VERSION)


VERSIONS = {"5.0.14": True, "6.0-rc1": True, "6.2.0": False, "10.1": False, "7.4-rc1": False}


@pytest.mark.parametrize(("version", "old"), VERSIONS.items())
def test_an_old_redis_is_told(version: str, old: bool) -> None:
    assert is_older(version, MIN_REDIS_VERSION) is old


def test_what_is_missing_is_told_with_what_to_do(tmp_path: Path) -> None:
    told = doctor(
        tmp_path,
        FORGER_DATA=str(tmp_path / "nowhere"),
        FORGER_HOST="0.0.0.0",
        FORGER_DEVICE="abacus",
        REDIS_URL="redis://:secret@127.0.0.1:1/0",
        DATABASE_URL="postgresql://forger:secret@127.0.0.1:1/forger",
    )
    assert told.returncode == 1
    found = lines(told)
    bad = {name: sentence for name, (good, sentence) in found.items() if not good}
    assert list(bad) == ["device", "redis", "database", "data", "key"]
    assert "unset it" in bad["device"]
    assert "correct REDIS_URL" in bad["redis"]
    assert "Check DATABASE_URL" in bad["database"]
    assert "FORGER_API_KEY" in bad["key"]
    assert "secret" not in told.stdout + told.stderr


@pytest.mark.long
def test_an_old_database_is_told_how_to_come_up(tmp_path: Path) -> None:
    env = Service(tmp_path).env()
    code = "from app.db import migrate; migrate.upgrade('0001')"
    subprocess.run([sys.executable, "-P", "-c", code], env=env, cwd=CHECKOUT, check=True, capture_output=True)
    good, sentence = lines(doctor(tmp_path))["database"]
    assert not good
    assert "forger migrate" in sentence
    migrated = subprocess.run(
        [sys.executable, "-P", "-m", "forger", "migrate"], env=env, cwd=CHECKOUT, capture_output=True, check=False
    )
    assert migrated.returncode == 0
    assert lines(doctor(tmp_path))["database"][0]


@pytest.mark.long
def test_files_of_datasets_are_seen(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3"):
        (folder / f"{name}-ubyte.gz").touch()
    settings = {"FORGER_DATA": str(tmp_path / "data")}
    assert "mnist is fetched" in lines(doctor(tmp_path, **settings))["data"][1]
    (folder / "t10k-labels-idx1-ubyte").touch()
    assert lines(doctor(tmp_path, **settings))["data"][1].startswith("mnist is here, fashion-mnist is fetched")


def test_a_port_in_use_is_told_and_our_own_service_is_known(service: Service, tmp_path: Path) -> None:
    good, sentence = lines(doctor(service.home))["port"]
    assert good
    assert service.url in sentence
    good, sentence = lines(doctor(tmp_path, FORGER_PORT=service.url.rpartition(":")[2]))["port"]
    assert not good
    assert "set FORGER_PORT to another" in sentence


def test_a_home_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    good, sentence = lines(doctor(tmp_path / "file" / "home"))["disk"]
    assert not good
    assert "move FORGER_HOME" in sentence


def test_a_setting_that_makes_no_sense_is_one_sentence(tmp_path: Path) -> None:
    told = doctor(tmp_path, FORGER_PORT="abc")
    assert told.returncode == 2
    assert told.stderr == "'FORGER_PORT' is 'abc': write a whole number from 0 to 65535.\n"
