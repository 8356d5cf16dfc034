"""Commands without a service, with a wrong key or without a reader of their output; help and completion."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from data.decode import SUFFIXES
from forger.cli.pictures import PICTURE_ENDINGS
from forger.cli.train import merge_overrides, overrides
from models.spec.resolve import merge
from tests.conftest import StartService
from tests.forger.cli.conftest import COMMAND, Run, output_of, refusal_of, run_forger
from tests.support.service import CHECKOUT, Service

NO_SERVICE = (
    "No Forger answers at http://127.0.0.1:1 (the address in the argument): start one with `forger serve`, or set "
    "FORGER_URL."
)


@pytest.fixture
def no_service_env(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without a running service."""
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
def test_command_without_a_service_fails_with_one_sentence(
    words: tuple[str, ...], no_service_env: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "photo.png").write_bytes(b"")
    assert refusal_of(run_forger(tmp_path, no_service_env, *words)) == NO_SERVICE
    assert not (tmp_path / "seven.png").exists()


def test_url_option_may_precede_the_command(run: Run, service: Service, tmp_path: Path) -> None:
    output_of(run("--url", service.url, "jobs", FORGER_URL="http://127.0.0.1:1"))
    assert "write it like" in refusal_of(run("--url", "localhost", "jobs"))


def test_key_is_taken_from_the_environment_or_the_option(start_service: StartService, tmp_path: Path) -> None:
    service = start_service(FORGER_API_KEY="correct horse")
    output_of(run_forger(tmp_path, service.env(), "jobs"))
    env_without_key = service.env() | {"FORGER_API_KEY": ""}
    output_of(run_forger(tmp_path, env_without_key, "--key", "correct horse", "jobs"))
    assert "FORGER_API_KEY" in refusal_of(run_forger(tmp_path, env_without_key, "jobs"))
    assert "FORGER_API_KEY" in refusal_of(run_forger(tmp_path, env_without_key, "--key", "wrong", "sample"))


@pytest.mark.long
def test_follow_continues_after_the_api_is_killed(start_service: StartService, tmp_path: Path) -> None:
    """The API is killed during `jobs follow` and restarts; no event is missed."""
    service = start_service()
    job = service.post(recipe="cdcgan", dataset="digits", budget={"steps": 100})
    process = subprocess.Popen(
        [*COMMAND, "jobs", "follow", job], env=service.env(), cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    api = service.find("uvicorn")
    assert api is not None
    api.kill()
    lines += process.stdout.readlines()  # not `communicate`, which drops what has been read ahead
    process.stdout.close()
    assert process.wait(180) == 0
    steps = [line.split()[1] for line in lines if line.startswith("step ")]
    log = service.client.get(f"/jobs/{job}/events").json()["data"]
    assert steps == [str(event["data"]["step"]) for event in log if event["type"] == "metrics"]


def test_closed_output_pipe_is_no_error(run: Run, service: Service) -> None:
    read_one_line = "; ".join(["import sys", "sys.stdin.readline()"])
    command = subprocess.Popen([*COMMAND, "recipes", "--json"], env=service.env(), cwd=CHECKOUT,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    reader = subprocess.run([sys.executable, "-c", read_one_line], stdin=command.stdout, check=True)
    assert reader.returncode == 0
    assert command.stdout is not None
    command.stdout.close()
    assert command.stderr is not None
    assert "Traceback" not in command.stderr.read()
    command.wait(30)
    command.stderr.close()


def test_usage_errors_exit_with_code_2(run: Run) -> None:
    for words in (("nope",), ("jobs", "nope"), ("jobs", "show"), ("sample", "-n", "0"), ("train", "--steps", "x")):
        assert run(*words).returncode == 2


@pytest.mark.processes
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "--steps", "0"), "--steps is 0: write a whole number of 1 or more."),
        (("train", "--steps", "x"), "--steps is 'x': write a whole number."),
        (("train", "--epochs", "x"), "--epochs is 'x': write a number."),
        (("translate", "a.png", "--quality", "101"), "--quality is 101: write a whole number of at most 100."),
        (("sample", "--format", "pickle"), "--format is 'pickle': write png, webp, json, npy, zip or txt."),
        (("jobs", "show"), "ID is missing. `forger jobs show --help` describes the command."),
        (("edit", "m"), "direction is missing. `forger edit --help` describes the command."),
        (("models", "import", "x"), "--name is missing. `forger models import --help` describes the command."),
        (("jobs", "nope"), "No such command 'nope'. `forger jobs --help` describes the command."),
        (("trin",), "No such command 'trin'. Did you mean 'train'? `forger --help` describes the command."),
        (("--nope",), "No such option: --nope. `forger --help` describes the command."),
        (("sample", "a"), "Got unexpected extra argument(s) (a). `forger sample --help` describes the command."),
        (("sample", "--class"), "Option '--class' requires an argument."),
    ],
)
def test_command_that_is_not_understood_is_refused_with_one_sentence(
    words: tuple[str, ...], sentence: str, no_service_env: dict[str, str], tmp_path: Path
) -> None:
    assert refusal_of(run_forger(tmp_path, no_service_env, *words)) == sentence


@pytest.mark.processes
def test_command_without_its_words_prints_its_help(no_service_env: dict[str, str], tmp_path: Path) -> None:
    helped = run_forger(tmp_path, no_service_env, "edit")
    assert (helped.returncode, helped.stderr) == (2, "")
    assert "Usage: forger edit" in helped.stdout


@pytest.mark.processes
def test_version_and_help_load_no_heavy_package(tmp_path: Path) -> None:
    assert output_of(run_forger(tmp_path, dict(os.environ), "--version")).startswith("forger ")
    for words in ((), ("train", "--help"), ("jobs", "--help"), ("sample", "--help")):
        assert "Usage" in run_forger(tmp_path, dict(os.environ), *words).stdout
    code = (
        "import sys, forger.cli.root\n"
        "heavy = ('torch', 'sqlalchemy', 'fastapi', 'httpx2', 'pydantic', 'rich', 'numpy', 'PIL')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_printed_for_each_shell(shell: str, tmp_path: Path) -> None:
    script = output_of(run_forger(tmp_path, os.environ | {"_FORGER_COMPLETE": f"source_{shell}"}))
    assert "_FORGER_COMPLETE" in script
    assert "forger" in script


def completed(folder: Path, env: dict[str, str], line: str) -> list[str]:
    variables = {"_FORGER_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return run_forger(folder, env | variables).stdout.split()


def test_commands_names_and_ids_are_completed(service: Service, no_service_env: dict[str, str], tmp_path: Path) -> None:
    env = service.env()
    assert completed(tmp_path, env, "forger tra") == ["train", "translate", "translate-dataset"]
    assert completed(tmp_path, env, "forger train cdc") == ["cdcgan"]
    assert completed(tmp_path, env, "forger train cdcgan --dataset fash") == ["fashion_mnist"]
    assert completed(tmp_path, no_service_env, "forger train cdcgan --dataset fash") == []
    assert completed(tmp_path, no_service_env, "forger train cdc") == []
    assert completed(tmp_path, env, "forger jobs --state pa") == ["pausing", "paused"]
    job = service.post(recipe="gan", dataset="digits", budget={"steps": 1})
    assert job in completed(tmp_path, env, "forger jobs show ")
    assert completed(tmp_path, no_service_env, "forger jobs show ") == ["last"]
    service.wait_for(job, "succeeded")
    assert completed(tmp_path, env, "forger sample --model gan") == ["gan-digits"]


def test_set_options_become_nested_overrides() -> None:
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
def test_overrides_are_merged_as_the_service_merges_them(base: dict[str, Any], change: dict[str, Any]) -> None:
    assert merge_overrides(base, change) == merge(base, change)


def test_picture_endings_are_those_the_service_decodes() -> None:
    assert SUFFIXES | {".heic", ".heif"} == PICTURE_ENDINGS
