"""What a person reads when nothing answers, the key is wrong, or the output has no reader; help and completion."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.decode import SUFFIXES
from forger.cli.live_view import by_player, sparkline
from forger.cli.pictures import PICTURE_ENDINGS
from forger.cli.train import merge_overrides, overrides
from models.spec.resolve import merge
from tests.conftest import StartService
from tests.forger.cli.conftest import COMMAND, Run, forger, good, refused
from tests.support.service import CHECKOUT, Service

DOWN = (
    "No Forger answers at http://127.0.0.1:1 (the address in the argument): start one with `forger serve`, or set "
    "FORGER_URL."
)


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment of a person without a service."""
    return Service(tmp_path / "home").env() | {"FORGER_URL": "http://127.0.0.1:1"}


@pytest.mark.processes
@pytest.mark.parametrize(
    "words",
    [
        ("train", "dcgan"),
        ("train", "dcgan", "--dry-run"),
        ("jobs",),
        ("jobs", "show", "last"),
        ("jobs", "follow", "job_0"),
        ("jobs", "cancel", "abc"),
        ("sample", "--class", "7", "-o", "seven.png"),
        ("translate", "photo.png"),
        ("models",),
        ("datasets",),
        ("datasets", "upload", "."),
        ("recipes", "show", "dcgan"),
    ],
)
def test_without_a_service_every_command_is_one_sentence(
    words: tuple[str, ...], alone: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    assert refused(forger(tmp_path, alone, *words)) == DOWN
    assert not (tmp_path / "seven.png").exists()


def test_an_address_may_be_given_before_the_command(run: Run, service: Service, tmp_path: Path) -> None:
    good(run("--url", service.url, "jobs", FORGER_URL="http://127.0.0.1:1"))
    assert "write it like" in refused(run("--url", "localhost", "jobs"))


def test_the_key_is_taken_from_the_environment_or_the_command(start_service: StartService, tmp_path: Path) -> None:
    guarded = start_service(FORGER_API_KEY="correct horse")
    good(forger(tmp_path, guarded.env(), "jobs"))
    bare = guarded.env() | {"FORGER_API_KEY": ""}
    good(forger(tmp_path, bare, "--key", "correct horse", "jobs"))
    assert "FORGER_API_KEY" in refused(forger(tmp_path, bare, "jobs"))
    assert "FORGER_API_KEY" in refused(forger(tmp_path, bare, "--key", "wrong", "sample"))


@pytest.mark.long
def test_a_service_that_stops_while_a_job_is_followed_is_waited_for(
    start_service: StartService, tmp_path: Path
) -> None:
    """The API is killed under the follower; it comes back, and no event is missed."""
    own = start_service()
    job = own.post(recipe="cdcgan", dataset="digits", budget={"steps": 100})
    process = subprocess.Popen(
        [*COMMAND, "jobs", "follow", job], env=own.env(), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(4)]
    api = own.find("uvicorn")
    assert api is not None
    api.kill()
    said += process.stdout.readlines()  # not `communicate`, which forgets what has been read ahead
    process.stdout.close()
    assert process.wait(180) == 0
    steps = [line.split()[1] for line in said if line.startswith("step ")]
    log = own.client.get(f"/jobs/{job}/events").json()["data"]
    assert steps == [str(event["data"]["step"]) for event in log if event["type"] == "metrics"]


def test_a_reader_that_leaves_is_no_error(run: Run, service: Service) -> None:
    lines = "; ".join(["import sys", "sys.stdin.readline()"])
    forger_ = subprocess.Popen([*COMMAND, "recipes", "--json"], env=service.env(), cwd=CHECKOUT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    reader = subprocess.run([sys.executable, "-c", lines], stdin=forger_.stdout, check=True)
    assert reader.returncode == 0
    assert forger_.stdout is not None
    forger_.stdout.close()
    assert forger_.stderr is not None
    assert "Traceback" not in forger_.stderr.read()
    forger_.wait(30)
    forger_.stderr.close()


def test_usage_errors_have_code_2(run: Run) -> None:
    for words in (("nope",), ("jobs", "nope"), ("jobs", "show"), ("sample", "-n", "0"), ("train", "--steps", "x")):
        assert run(*words).returncode == 2


@pytest.mark.processes
def test_version_and_help_come_without_the_heavy_parts(tmp_path: Path) -> None:
    assert good(forger(tmp_path, dict(os.environ), "--version")).startswith("forger ")
    for words in ((), ("train", "--help"), ("jobs", "--help"), ("sample", "--help")):
        assert "Usage" in forger(tmp_path, dict(os.environ), *words).stdout
    code = (
        "import sys, forger.cli.root\n"
        "heavy = ('torch', 'sqlalchemy', 'fastapi', 'httpx2', 'pydantic', 'rich', 'numpy', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_is_told_how_to_complete(shell: str, tmp_path: Path) -> None:
    script = good(forger(tmp_path, os.environ | {"_FORGER_COMPLETE": f"source_{shell}"}))
    assert "_FORGER_COMPLETE" in script
    assert "forger" in script


def completed(folder: Path, env: dict[str, str], line: str) -> list[str]:
    asked = {"_FORGER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return forger(folder, env | asked).stdout.split()


def test_names_are_completed(service: Service, alone: dict[str, str], tmp_path: Path) -> None:
    env = service.env()
    assert completed(tmp_path, env, "forger tra") == ["train", "translate", "translate-dataset"]
    assert completed(tmp_path, env, "forger train cdc") == ["cdcgan"]
    assert completed(tmp_path, env, "forger train cdcgan --dataset fash") == ["fashion_mnist"]
    assert completed(tmp_path, alone, "forger train cdcgan --dataset fash") == []
    assert completed(tmp_path, alone, "forger train cdc") == []
    assert completed(tmp_path, env, "forger jobs --state pa") == ["pausing", "paused"]
    job = service.post(recipe="gan", dataset="digits", budget={"steps": 1})
    assert job in completed(tmp_path, env, "forger jobs show ")
    assert completed(tmp_path, alone, "forger jobs show ") == ["last"]
    service.wait_for(job, "succeeded")
    assert completed(tmp_path, env, "forger sample --model gan") == ["gan-digits"]


def test_settings_become_overrides() -> None:
    assert overrides(["a.b=1", "a.c=x y", "d=[1, 2]", "e=null"]) == {
        "a": {"b": 1, "c": "x y"},
        "d": [1, 2],
        "e": None,
    }


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ({}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}, "d": [1]}),
        ({"objective": {"kind": "hinge", "margin": 2}}, {"objective": {"kind": "minimax"}}),
        ({"objective": {"kind": "hinge", "margin": 2}}, {"objective": {"kind": "hinge", "x": 1}}),
        ({"watch": {"every": 2}, "a": 1}, {"watch": None, "a": {"b": 1}}),
    ],
)
def test_two_changes_become_one_as_the_service_joins_them(base: dict[str, Any], change: dict[str, Any]) -> None:
    assert merge_overrides(base, change) == merge(base, change)


def test_a_folder_is_searched_for_what_services_read() -> None:
    assert SUFFIXES | {".heic", ".heif"} == PICTURE_ENDINGS


def test_a_curve_is_drawn_in_one_line() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0, 5.0]) == "▁▁"
    assert sparkline([]) == ""
    assert sparkline([0.0, None, 1.0]) == "▁!█"
    assert sparkline(range(1000), width=8) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.0] * 99 + [None], width=10) == "▁▁▁▁▁▁▁▁▁!"


def test_each_player_has_the_sum_of_what_it_minimises() -> None:
    values = {"critic/hinge": 1.0, "critic/r1": 0.5, "generator/hinge": None}
    measured = {"figure/frechet": 2.0, "figure/kid": 0.5, "gauge/augment": 0.1}
    assert by_player(values | measured) == {"critic": 1.5, "generator": None, "frechet": 2.0, "kid": 0.5}
