"""`forger train` and `forger jobs` against a real service."""

import json
import os
import pty
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forger.cli.conftest import COMMAND, Run, output_of, refusal_of
from tests.support.service import CHECKOUT, TERMINAL, Service
from tests.support.wait import until

LONG_TRAINING = ("train", "cdcgan", "--dataset", "digits", "--steps", "3000")


def newest_id(run: Run) -> str:
    return str(json.loads(output_of(run("jobs", "show", "last", "--json")))["id"])


def job_ids(run: Run) -> list[str]:
    return [job["id"] for job in json.loads(output_of(run("jobs", "--json")))["data"]]


@pytest.fixture(autouse=True)
def idle(service: Service) -> Iterator[None]:
    """Cancel the jobs of a test, so that the worker is free for the next test."""
    yield
    for job in service.client.get("/jobs").json()["data"]:
        if job["state"] not in TERMINAL:
            service.client.post(f"/jobs/{job['id']}/cancel")
            service.wait_for(job["id"], *TERMINAL)


def test_followed_training_ends_with_a_command_that_works(run: Run, tmp_path: Path) -> None:
    lines = output_of(
        run("train", "cdcgan", "--dataset", "digits", "--steps", "6", "--seed", "1", "--follow")
    ).splitlines()
    assert lines[0].startswith("It takes ")
    assert lines[1:3] == ["queued", "running"]
    assert lines[-4] == "succeeded"
    assert lines[-3].startswith("Health: "), "six steps are too few, which is reported"
    assert lines[-2].endswith("succeeded and published cdcgan-digits@1. Try it with:")
    steps = [line for line in lines if line.startswith("step ")]
    reported, evaluated = steps[-2:]
    assert reported.startswith("step 6 of 6  critic ")
    assert "generator " in reported
    assert evaluated.startswith("step 6 of 6  ")
    assert "frechet " in evaluated
    words = lines[-1].split()
    assert words[0] == "forger"
    assert "digits.png" in output_of(run(*words[1:]))
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_budget_in_minutes_is_converted_to_steps(run: Run) -> None:
    lines = output_of(run("train", "gan", "--dataset", "digits", "--minutes", "0.02", "--follow")).splitlines()
    assert any(line.startswith("At the pace measured here") for line in lines)
    steps = [line for line in lines if line.startswith("step ")]
    assert steps
    assert all(line.split()[2] == "of" and line.split()[3].isdecimal() for line in steps)


def test_follow_of_a_cancelled_job_exits_with_code_1(run: Run) -> None:
    output_of(run("train", "dcgan", "--dataset", "digits", "--steps", "9999"))
    job = newest_id(run)
    output_of(run("jobs", "cancel", job))
    completed = run("jobs", "follow", job)
    assert completed.returncode == 1
    assert completed.stderr.startswith(f"{job} cancelled")


def test_recipe_is_changed_by_set_options_or_read_from_a_file(run: Run, tmp_path: Path) -> None:
    settings = ("--set", "batch_size=16", "--set", "objective.kind=hinge", "--set", "penalties=[]")
    job = json.loads(output_of(run("train", "dcgan", "--steps", "100000", "--model", "mine", "--json", *settings)))
    assert (job["recipe"]["batch_size"], job["recipe"]["objective"]["kind"], job["model"]) == (16, "hinge", "mine")
    (tmp_path / "recipe.json").write_text(json.dumps(job["recipe"]))
    from_file = json.loads(output_of(run("train", "--recipe", "recipe.json", "--json", "--seed", "0")))
    assert (from_file["recipe"], from_file["family"]) == (job["recipe"], None)
    for created in (job, from_file):
        output_of(run("jobs", "cancel", created["id"]))


def test_dry_run_creates_no_job(run: Run) -> None:
    before = job_ids(run)
    assert "It can be trained: dcgan on digits" in output_of(run("train", "dcgan", "--dataset", "digits", "--dry-run"))
    refused = run("train", "cdcgan", "--dataset", "ring8", "--dry-run")
    assert refused.returncode == 1
    assert "Points need a generator" in refused.stdout
    assert json.loads(run("train", "cdcgan", "--dataset", "ring8", "--dry-run", "--json").stdout)["refusals"]
    assert job_ids(run) == before


def test_training_starts_from_a_checkpoint(run: Run) -> None:
    output_of(run("train", "gan", "--dataset", "digits", "--steps", "2", "--follow"))
    shown = output_of(run("jobs", "show", "last")).splitlines()
    checkpoint = shown[-1].split()[0]
    started = json.loads(output_of(run("train", "gan", "--dataset", "digits", "--start-from", checkpoint, "--json")))
    assert started["spec"]["start_from"]["checkpoint"] == checkpoint
    output_of(run("jobs", "cancel", started["id"]))


def test_request_from_a_file_is_sent_with_changes_by_options(run: Run, tmp_path: Path) -> None:
    body = {"kind": "train", "recipe": "gan", "dataset": "mnist", "model": "theirs", "overrides": {"batch_size": 16}}
    (tmp_path / "body.json").write_text(json.dumps(body))
    options = ("--request", "body.json", "--dataset", "digits", "--set", "ema.decay=0", "--dry-run", "--json")
    plan = json.loads(output_of(run("train", *options)))
    assert (plan["dataset"], plan["model"]) == ("digits", "theirs")
    assert (plan["recipe"]["batch_size"], plan["recipe"]["ema"]["decay"]) == (16, 0)


def test_devices_option_is_sent_and_shown(run: Run) -> None:
    job = json.loads(output_of(run("train", "dcgan", "--dataset", "digits", "--devices", "2", "--json")))
    assert job["spec"]["devices"] == 2
    assert re.search(r"devices +2", output_of(run("jobs", "show", job["id"])))
    output_of(run("jobs", "cancel", job["id"]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nope",), "No family is called 'nope'"),
        (("dcgan", "--dataset", "nope"), "No dataset is called 'nope'"),
        (("dcgan", "--set", "nope=1"), "nope"),
        (("dcgan", "--set", "batch_size"), "--set takes path.to.field=value"),
        (("dcgan", "--set", "a=1", "--set", "a.b=1"), "was set to a value before"),
        (("dcgan", "--steps", "1", "--minutes", "1"), "a job has one budget"),
        (("dcgan", "--recipe", "there.json"), "one of the three"),
        (("--recipe", "not-there.json"), "not-there.json: No such file"),
        (("--recipe", "text.json"), "holds no JSON"),
        (("--recipe", "list.json"), "holds no recipe"),
        (("--recipe", "request.json"), "send it with --request request.json"),
        (("--request", "strange.json"), "more than a training takes: colour"),
        (("dcgan", "--model", "../up"), "model"),
        (("dcgan", "--start-from", "ckpt_0"), "ckpt_0"),
        (("dcgan", "--devices", "100000"), "max_devices"),
        (("dcgan", "--minutes", "nan"), "--minutes takes a finite number"),
        (("dcgan", "--set", "batch_size=1e999"), "batch_size"),
        (("dcgan", "--set", "batch_size=NaN"), "batch_size"),
    ],
)
def test_invalid_training_is_refused_with_one_sentence(
    words: tuple[str, ...], message: str, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "text.json").write_text("no")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "request.json").write_text('{"recipe": "gan"}')
    (tmp_path / "strange.json").write_text('{"recipe": "gan", "colour": 1}')
    assert message in refusal_of(run("train", *words))


def test_jobs_are_listed_shown_paused_and_deleted_by_short_id(service: Service, run: Run) -> None:
    output_of(run(*LONG_TRAINING, "--model", "waits"))
    job = newest_id(run)
    head, first, *_ = output_of(run("jobs")).splitlines()
    assert head.split() == ["ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED"]
    assert first.startswith(f"{job[-8:]}  train  cdcgan  digits")
    assert (
        output_of(run("jobs", "list", "--model", "waits", "-n", "1")).splitlines()[1:] == [first] or "running" in first
    )
    assert json.loads(output_of(run("jobs", "--json")))["data"][0]["id"] == job
    assert output_of(run("jobs", "show", job[-12:])).split()[:2] == ["id", job]
    assert "queued" in output_of(run("jobs", "events", "last"))
    assert json.loads(output_of(run("jobs", "events", "last", "--json")))["data"][0]["data"] == {"state": "queued"}
    assert "409" not in refusal_of(run("jobs", "delete", "last"))
    output = output_of(run("jobs", "pause", job[-12:]))
    assert "is paus" in output
    assert output.endswith(f" at {service.url}.\n")
    service.wait_for(job, "paused")
    assert "is queued" in output_of(run("jobs", "resume", "last"))
    assert "is cancel" in output_of(run("jobs", "cancel", "last"))
    service.wait_for(job, "cancelled")
    assert "cancelled" in refusal_of(run("jobs", "pause", "last"))
    deleted = output_of(run("jobs", "delete", "last"))
    assert deleted == f"{job} (train cdcgan on digits, waits) is deleted at {service.url}.\n"
    assert job in refusal_of(run("jobs", "show", job))


def test_ambiguous_or_unknown_id_is_refused(service: Service, run: Run) -> None:
    ends = Counter(service.post(recipe="gan", dataset="digits", budget={"steps": 999})[-1] for _ in range(17))
    assert "Write more of the id" in refusal_of(run("jobs", "show", ends.most_common(1)[0][0]))
    assert "`forger jobs` lists them" in refusal_of(run("jobs", "show", ""))
    assert "`forger jobs` lists them" in refusal_of(run("jobs", "show", "zzz"))
    assert "job_zzz" in refusal_of(run("jobs", "show", "job_zzz"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_ends_the_command_and_the_job_trains_on(
    terminal: bool, service: Service, run: Run, tmp_path: Path
) -> None:
    """With a terminal the command draws a bar and curves; without one it prints lines."""
    terminal_end, process_end = pty.openpty()
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, *LONG_TRAINING, "--follow"],
            env=service.env() | {"PYTHONPATH": str(CHECKOUT), "TERM": "xterm", "COLUMNS": "100"},
            cwd=tmp_path,
            stdin=process_end,
            stdout=process_end if terminal else file,
            stderr=subprocess.STDOUT,
            # A suite that was started in the background ignores Ctrl-C, and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    os.close(process_end)
    drawn = b""

    def output() -> bytes:
        nonlocal drawn
        if terminal:
            drawn += os.read(terminal_end, 65536)
            return drawn
        return out.read_bytes()

    until(lambda: b"generator" in output())
    process.send_signal(signal.SIGINT)
    if terminal:
        until(lambda: b"goes on training" in output())
    assert process.wait(30) == 130
    final_output = output() if not terminal else drawn
    os.close(terminal_end)
    assert b"goes on training. Watch it again with: forger jobs follow" in final_output
    assert b"Traceback" not in final_output
    if terminal:
        assert "▁".encode() in final_output or "█".encode() in final_output
        assert b"of 3000" in final_output
        assert b"/artifacts/" in final_output
    assert service.job(newest_id(run))["state"] == "running"
