"""`forger experiment`, `forger experiments` and `forger compare` against a real service."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.forger.cli.conftest import Run, forger, good, refused
from tests.support.parquet import columns
from tests.support.service import Service

WATCHED = {"watch": {"metric": "divergence", "every": 3, "samples": 64}}
RING: dict[str, Any] = {
    "name": "ring",
    "recipe": "gan",
    "dataset": "ring8",
    "budget": {"steps": 6},
    "overrides": WATCHED | {"batch_size": 32},
    "cases": [{"name": "plain"}, {"name": "hinge", "overrides": {"objective": {"kind": "hinge"}}}],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ring.json"
    path.write_text(json.dumps(RING))
    return path


@pytest.fixture(scope="module")
def told(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is said of an experiment that is followed to its end."""
    folder = tmp_path_factory.mktemp("followed")
    (folder / "ring.json").write_text(json.dumps(RING))
    return good(forger(folder, service.env(), "experiment", "ring.json", "--follow")).splitlines()


@pytest.fixture(scope="module")
def done(service: Service, told: list[str]) -> dict[str, Any]:
    """An experiment whose jobs have succeeded."""
    (made,) = (one for one in service.client.get("/experiments").json()["data"] if one["name"] == "ring")
    found: dict[str, Any] = service.client.get(made["links"]["self"]).json()
    return found


def test_an_experiment_is_followed_to_its_table(told: list[str]) -> None:
    assert told[0].startswith("ring: ")
    assert "ring: 2 succeeded" in told
    head = next(line for line in told if line.split()[:1] == ["CASE"])
    assert "divergence ↓" in head
    rows = {line.split()[0]: line for line in told if line.split()[:1] in (["plain"], ["hinge"])}
    assert rows.keys() == {"plain", "hinge"}
    assert any(line.count("*") for line in rows.values())
    assert any(line.startswith("Measured while training") for line in told)
    assert "forger experiments show" in told[-1]


def test_its_table_is_written_as_a_picture_or_as_values(run: Run, tmp_path: Path, done: dict[str, Any]) -> None:
    good(run("experiments", "show", done["id"], "--out", "table.png"))
    with Image.open(tmp_path / "table.png") as picture:
        assert picture.width > 300
    good(run("experiments", "show", done["id"], "-o", "table.csv"))
    lines = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert {line["case"] for line in lines} == {"plain", "hinge"}
    good(run("experiments", "show", done["id"], "-o", "table.parquet"))
    table = columns((tmp_path / "table.parquet").read_bytes())
    assert table["case"] == [line["case"] for line in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())]


def test_its_jobs_and_their_curves_are_shown_and_written(run: Run, tmp_path: Path, done: dict[str, Any]) -> None:
    head, *lines = good(run("experiments", "jobs", done["id"])).strip().splitlines()
    assert head.split()[:5] == ["CASE", "SEED", "JOB", "STATE", "HEALTH"]
    assert [line.split()[0] for line in lines if line.split()[:1] in (["plain"], ["hinge"])][:2] == ["plain", "hinge"]
    good(run("experiments", "jobs", done["id"], "-o", "jobs.parquet"))
    assert set(columns((tmp_path / "jobs.parquet").read_bytes())["job"]) == {job["id"] for job in done["jobs"]}
    job = done["jobs"][0]["id"]
    assert "figure/divergence" in good(run("jobs", "metrics", job))
    good(run("jobs", "metrics", job, "-o", "curves.parquet"))
    text = good(run("jobs", "metrics", job, "--name", "figure/divergence", "-o", "-"))
    piped = list(csv.DictReader(text.splitlines()))
    assert {line["curve"] for line in piped} == {"figure/divergence"}
    curves = columns((tmp_path / "curves.parquet").read_bytes())
    found = [value for name, value in zip(curves["curve"], curves["value"], strict=True) if name == "figure/divergence"]
    assert found == [float(line["value"]) for line in piped]
    assert "divergence" in good(run("jobs", "figures", job))
    assert "on ring8; while training, n_fake" in good(run("jobs", "figures", job, "--cite"))
    assert "end the name in .csv or .parquet" in refused(run("jobs", "metrics", job, "-o", "curves.xls"))


def test_a_dry_run_says_which_jobs_there_would_be_or_why_not(run: Run, file: Path) -> None:
    *lines, minutes = good(run("experiment", file.name, "--dry-run")).splitlines()
    assert [line.split()[0] for line in lines] == ["CASE", "plain", "hinge"]
    assert minutes.startswith("One after the other its jobs take ")
    file.write_text(json.dumps(RING | {"dataset": "nope"}))
    bad = run("experiment", file.name, "--dry-run")
    assert (bad.returncode, bad.stdout.startswith("/dataset: No dataset is called 'nope'")) == (1, True)


def test_experiments_are_listed_cancelled_and_deleted(
    run: Run, service: Service, file: Path, done: dict[str, Any]
) -> None:
    file.write_text(json.dumps(RING | {"budget": {"steps": 99999}, "name": "long", "overrides": None}))
    made = json.loads(good(run("experiment", file.name, "--json")))
    head, first, *_ = good(run("experiments")).splitlines()
    assert head.split() == ["ID", "NAME", "CASES", "JOBS", "STATES", "CREATED"]
    assert first.startswith(f"{made['id'][-8:]}  long")
    assert "have not ended" in refused(run("experiments", "delete", "last"))
    said = good(run("experiments", "cancel", made["id"][-12:]))
    assert said.startswith("long: ")
    assert said.endswith(f", at {service.url}.\n")
    followed = run("experiments", "follow", "last")
    assert (followed.returncode, followed.stderr.count("forger jobs show")) == (1, 2)
    assert "its jobs stay" in good(run("experiments", "delete", made["id"]))
    assert json.loads(good(run("experiments", "show", done["id"], "--json")))["cases"] == ["plain", "hinge"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("experiment", "list.json"), "holds no experiment"),
        (("experiment", "bad.json"), "surplus"),
        (("experiments", "show", "zzz"), "`forger experiments` lists them"),
        (("experiments", "show", "last", "--out", "table.xls"), "end the name in .png, .csv or .parquet"),
        (("compare", "last"), "two jobs or more"),
        (("compare", "last", "last"), "named twice"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[str, ...], said: str, run: Run, tmp_path: Path, done: dict[str, Any]
) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bad.json").write_text('{"recipe": "gan", "surplus": 1}')
    assert said in refused(run(*words))


def test_jobs_are_compared_in_tables_and_in_one_picture(run: Run, tmp_path: Path, done: dict[str, Any]) -> None:
    ids = [job["id"] for job in done["jobs"]]
    said = good(run("compare", *ids, "--out", "two.png"))
    assert "/objective" in said
    assert "non_saturating(smoothing=0)" in said
    assert "hinge, seed 1" in said
    assert "divergence ↓" in said
    assert "two.png: 2 jobs" in said
    with Image.open(tmp_path / "two.png") as picture:
        assert picture.width > 500
        assert picture.height > 600, "samples, and curves below"
    found = json.loads(good(run("compare", *ids, "--json")))
    assert [one["path"] for one in found["differences"]] == ["/objective"]


def test_models_of_pictures_are_drawn_in_a_row(
    run: Run, service: Service, tmp_path: Path, done: dict[str, Any]
) -> None:
    digits = service.post(recipe="gan", dataset="digits", budget={"steps": 1})
    service.wait_for(digits, "succeeded")
    assert "/data" in good(run("compare", digits, done["jobs"][0]["id"], "-o", "digits.png"))
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.width > 16 * 64, "sixteen digits of 16 px, enlarged four times"
