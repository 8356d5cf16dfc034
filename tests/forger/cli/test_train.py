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

from tests.forger.cli.conftest import COMMAND, Run, good, refused
from tests.support.service import CHECKOUT, TERMINAL, Service
from tests.support.wait import until

LONG = ("train", "cdcgan", "--dataset", "digits", "--steps", "3000")


def newest(run: Run) -> str:
    return str(json.loads(good(run("jobs", "show", "last", "--json")))["id"])


def ids(run: Run) -> list[str]:
    return [job["id"] for job in json.loads(good(run("jobs", "--json")))["data"]]


@pytest.fixture(autouse=True)
def idle(service: Service) -> Iterator[None]:
    """No job of one test keeps the worker from the next."""
    yield
    for job in service.client.get("/jobs").json()["data"]:
        if job["state"] not in TERMINAL:
            service.client.post(f"/jobs/{job['id']}/cancel")
            service.wait_for(job["id"], *TERMINAL)


def test_a_job_is_followed_to_its_model_and_the_next_line_works(run: Run, tmp_path: Path) -> None:
    said = good(run("train", "cdcgan", "--dataset", "digits", "--steps", "6", "--seed", "1", "--follow")).splitlines()
    assert said[0].startswith("It takes ")
    assert said[1:3] == ["queued", "running"]
    assert said[-4] == "succeeded"
    assert said[-3].startswith("Health: "), "six steps are too few, and that is said"
    assert said[-2].endswith("succeeded and published cdcgan-digits@1. Try it with:")
    steps = [line for line in said if line.startswith("step ")]
    reported, evaluated = steps[-2:]
    assert reported.startswith("step 6 of 6  critic ")
    assert "generator " in reported
    assert evaluated.startswith("step 6 of 6  ")
    assert "frechet " in evaluated
    words = said[-1].split()
    assert words[0] == "forger"
    assert "digits.png" in good(run(*words[1:]))
    assert (tmp_path / "digits.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_a_budget_in_minutes_gets_its_length_when_it_is_measured(run: Run) -> None:
    said = good(run("train", "gan", "--dataset", "digits", "--minutes", "0.02", "--follow")).splitlines()
    assert any(line.startswith("At the pace measured here") for line in said)
    steps = [line for line in said if line.startswith("step ")]
    assert steps
    assert all(line.split()[2] == "of" and line.split()[3].isdecimal() for line in steps)


def test_a_job_that_fails_ends_with_its_reason_and_code_1(run: Run) -> None:
    good(run("train", "dcgan", "--dataset", "digits", "--steps", "9999"))
    job = newest(run)
    good(run("jobs", "cancel", job))
    done = run("jobs", "follow", job)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{job} cancelled")


def test_the_recipe_is_set_by_paths_or_taken_from_a_file(run: Run, tmp_path: Path) -> None:
    settings = ("--set", "batch_size=16", "--set", "objective.kind=hinge", "--set", "penalties=[]")
    job = json.loads(good(run("train", "dcgan", "--steps", "100000", "--model", "mine", "--json", *settings)))
    assert (job["recipe"]["batch_size"], job["recipe"]["objective"]["kind"], job["model"]) == (16, "hinge", "mine")
    (tmp_path / "recipe.json").write_text(json.dumps(job["recipe"]))
    again = json.loads(good(run("train", "--recipe", "recipe.json", "--json", "--seed", "0")))
    assert (again["recipe"], again["family"]) == (job["recipe"], None)
    for made in (job, again):
        good(run("jobs", "cancel", made["id"]))


def test_a_dry_run_makes_no_job(run: Run) -> None:
    before = ids(run)
    assert "It can be trained: dcgan on digits" in good(run("train", "dcgan", "--dataset", "digits", "--dry-run"))
    bad = run("train", "cdcgan", "--dataset", "ring8", "--dry-run")
    assert bad.returncode == 1
    assert "Points need a generator" in bad.stdout
    assert json.loads(run("train", "cdcgan", "--dataset", "ring8", "--dry-run", "--json").stdout)["refusals"]
    assert ids(run) == before


def test_a_checkpoint_is_begun_from(run: Run) -> None:
    good(run("train", "gan", "--dataset", "digits", "--steps", "2", "--follow"))
    shown = good(run("jobs", "show", "last")).splitlines()
    checkpoint = shown[-1].split()[0]
    begun = json.loads(good(run("train", "gan", "--dataset", "digits", "--start-from", checkpoint, "--json")))
    assert begun["spec"]["start_from"]["checkpoint"] == checkpoint
    good(run("jobs", "cancel", begun["id"]))


def test_a_request_in_a_file_is_sent_and_changed_by_options(run: Run, tmp_path: Path) -> None:
    body = {"kind": "train", "recipe": "gan", "dataset": "mnist", "model": "theirs", "overrides": {"batch_size": 16}}
    (tmp_path / "body.json").write_text(json.dumps(body))
    asked = ("--request", "body.json", "--dataset", "digits", "--set", "ema.decay=0", "--dry-run", "--json")
    plan = json.loads(good(run("train", *asked)))
    assert (plan["dataset"], plan["model"]) == ("digits", "theirs")
    assert (plan["recipe"]["batch_size"], plan["recipe"]["ema"]["decay"]) == (16, 0)


def test_devices_are_asked_for_and_shown(run: Run) -> None:
    made = json.loads(good(run("train", "dcgan", "--dataset", "digits", "--devices", "2", "--json")))
    assert made["spec"]["devices"] == 2
    assert re.search(r"devices +2", good(run("jobs", "show", made["id"])))
    good(run("jobs", "cancel", made["id"]))


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_what_cannot_be_trained_is_one_sentence(words: tuple[str, ...], said: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("no")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "request.json").write_text('{"recipe": "gan"}')
    (tmp_path / "strange.json").write_text('{"recipe": "gan", "colour": 1}')
    assert said in refused(run("train", *words))


def test_jobs_are_listed_and_named_by_their_ends(service: Service, run: Run) -> None:
    good(run(*LONG, "--model", "waits"))
    job = newest(run)
    head, first, *_ = good(run("jobs")).splitlines()
    assert head.split() == ["ID", "KIND", "FAMILY", "DATASET", "STATE", "HEALTH", "STEP", "MODEL", "CREATED"]
    assert first.startswith(f"{job[-8:]}  train  cdcgan  digits")
    assert good(run("jobs", "list", "--model", "waits", "-n", "1")).splitlines()[1:] == [first] or "running" in first
    assert json.loads(good(run("jobs", "--json")))["data"][0]["id"] == job
    assert good(run("jobs", "show", job[-12:])).split()[:2] == ["id", job]
    assert "queued" in good(run("jobs", "events", "last"))
    assert json.loads(good(run("jobs", "events", "last", "--json")))["data"][0]["data"] == {"state": "queued"}
    assert "409" not in refused(run("jobs", "delete", "last"))
    said = good(run("jobs", "pause", job[-12:]))
    assert "is paus" in said
    assert said.endswith(f" at {service.url}.\n")
    service.wait_for(job, "paused")
    assert "is queued" in good(run("jobs", "resume", "last"))
    assert "is cancel" in good(run("jobs", "cancel", "last"))
    service.wait_for(job, "cancelled")
    assert "cancelled" in refused(run("jobs", "pause", "last"))
    deleted = good(run("jobs", "delete", "last"))
    assert deleted == f"{job} (train cdcgan on digits, waits) is deleted at {service.url}.\n"
    assert job in refused(run("jobs", "show", job))


def test_an_end_that_many_ids_have_or_none_is_refused(service: Service, run: Run) -> None:
    ends = Counter(service.post(recipe="gan", dataset="digits", budget={"steps": 999})[-1] for _ in range(17))
    assert "Write more of the id" in refused(run("jobs", "show", ends.most_common(1)[0][0]))
    assert "`forger jobs` lists them" in refused(run("jobs", "show", ""))
    assert "`forger jobs` lists them" in refused(run("jobs", "show", "zzz"))
    assert "job_zzz" in refused(run("jobs", "show", "job_zzz"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("terminal", [False, True])
def test_ctrl_c_leaves_the_job_training(terminal: bool, service: Service, run: Run, tmp_path: Path) -> None:
    """With a terminal it is drawn, with a bar and curves; without one it is told in lines."""
    ours, theirs = pty.openpty()
    out = tmp_path / "out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [*COMMAND, *LONG, "--follow"],
            env=service.env() | {"PYTHONPATH": str(CHECKOUT), "TERM": "xterm", "COLUMNS": "100"},
            cwd=tmp_path,
            stdin=theirs,
            stdout=theirs if terminal else file,
            stderr=subprocess.STDOUT,
            # A suite that was started in the background ignores Ctrl-C, and its children with it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    os.close(theirs)
    seen = b""

    def said() -> bytes:
        nonlocal seen
        if terminal:
            seen += os.read(ours, 65536)
            return seen
        return out.read_bytes()

    until(lambda: b"generator" in said())
    process.send_signal(signal.SIGINT)
    if terminal:
        until(lambda: b"goes on training" in said())
    assert process.wait(30) == 130
    text = said() if not terminal else seen
    os.close(ours)
    assert b"goes on training. Watch it again with: forger jobs follow" in text
    assert b"Traceback" not in text
    if terminal:
        assert "▁".encode() in text or "█".encode() in text
        assert b"of 3000" in text
        assert b"/artifacts/" in text
    assert service.job(newest(run))["state"] == "running"
