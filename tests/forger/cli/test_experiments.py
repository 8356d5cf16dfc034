"""`forger experiment`, `forger experiments` and `forger compare` against a real service."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.forger.cli.conftest import Run, output_of, refusal_of, run_forger
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
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "ring.json"
    path.write_text(json.dumps(RING))
    return path


@pytest.fixture(scope="module")
def followed_lines(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that the command prints for an experiment that is followed to its end."""
    folder = tmp_path_factory.mktemp("followed")
    (folder / "ring.json").write_text(json.dumps(RING))
    return output_of(run_forger(folder, service.env(), "experiment", "ring.json", "--follow")).splitlines()


@pytest.fixture(scope="module")
def experiment(service: Service, followed_lines: list[str]) -> dict[str, Any]:
    """An experiment whose jobs have succeeded."""
    (listed,) = (entry for entry in service.client.get("/experiments").json()["data"] if entry["name"] == "ring")
    view: dict[str, Any] = service.client.get(listed["links"]["self"]).json()
    return view


def test_followed_experiment_ends_with_its_table(followed_lines: list[str]) -> None:
    assert followed_lines[0].startswith("ring: ")
    assert "ring: 2 succeeded" in followed_lines
    head = next(line for line in followed_lines if line.split()[:1] == ["CASE"])
    assert "divergence ↓" in head
    rows = {line.split()[0]: line for line in followed_lines if line.split()[:1] in (["plain"], ["hinge"])}
    assert rows.keys() == {"plain", "hinge"}
    assert any(line.count("*") for line in rows.values())
    assert any(line.startswith("Measured while training") for line in followed_lines)
    assert "forger experiments show" in followed_lines[-1]


def test_table_is_written_as_png_csv_or_parquet(run: Run, tmp_path: Path, experiment: dict[str, Any]) -> None:
    output_of(run("experiments", "show", experiment["id"], "--out", "table.png"))
    with Image.open(tmp_path / "table.png") as picture:
        assert picture.width > 300
    output_of(run("experiments", "show", experiment["id"], "-o", "table.csv"))
    lines = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    assert {line["case"] for line in lines} == {"plain", "hinge"}
    output_of(run("experiments", "show", experiment["id"], "-o", "table.parquet"))
    table = columns((tmp_path / "table.parquet").read_bytes())
    assert table["case"] == [line["case"] for line in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())]


def test_jobs_curves_and_figures_are_shown_and_written(run: Run, tmp_path: Path, experiment: dict[str, Any]) -> None:
    head, *lines = output_of(run("experiments", "jobs", experiment["id"])).strip().splitlines()
    assert head.split()[:5] == ["CASE", "SEED", "JOB", "STATE", "HEALTH"]
    assert [line.split()[0] for line in lines if line.split()[:1] in (["plain"], ["hinge"])][:2] == ["plain", "hinge"]
    output_of(run("experiments", "jobs", experiment["id"], "-o", "jobs.parquet"))
    assert set(columns((tmp_path / "jobs.parquet").read_bytes())["job"]) == {job["id"] for job in experiment["jobs"]}
    job = experiment["jobs"][0]["id"]
    assert "figure/divergence" in output_of(run("jobs", "metrics", job))
    output_of(run("jobs", "metrics", job, "-o", "curves.parquet"))
    text = output_of(run("jobs", "metrics", job, "--name", "figure/divergence", "-o", "-"))
    piped = list(csv.DictReader(text.splitlines()))
    assert {line["curve"] for line in piped} == {"figure/divergence"}
    curves = columns((tmp_path / "curves.parquet").read_bytes())
    values = [
        value for name, value in zip(curves["curve"], curves["value"], strict=True) if name == "figure/divergence"
    ]
    assert values == [float(line["value"]) for line in piped]
    assert "divergence" in output_of(run("jobs", "figures", job))
    assert "on ring8; while training, n_fake" in output_of(run("jobs", "figures", job, "--cite"))
    assert "end the name in .csv or .parquet" in refusal_of(run("jobs", "metrics", job, "-o", "curves.xls"))


def test_dry_run_lists_the_planned_jobs_or_the_refusal(run: Run, request_file: Path) -> None:
    *lines, minutes = output_of(run("experiment", request_file.name, "--dry-run")).splitlines()
    assert [line.split()[0] for line in lines] == ["CASE", "plain", "hinge"]
    assert minutes.startswith("One after the other its jobs take ")
    request_file.write_text(json.dumps(RING | {"dataset": "nope"}))
    refused = run("experiment", request_file.name, "--dry-run")
    assert (refused.returncode, refused.stdout.startswith("/dataset: No dataset is called 'nope'")) == (1, True)


def test_experiments_are_listed_cancelled_and_deleted_by_short_id(
    run: Run, service: Service, request_file: Path, experiment: dict[str, Any]
) -> None:
    request_file.write_text(json.dumps(RING | {"budget": {"steps": 99999}, "name": "long", "overrides": None}))
    created = json.loads(output_of(run("experiment", request_file.name, "--json")))
    head, first, *_ = output_of(run("experiments")).splitlines()
    assert head.split() == ["ID", "NAME", "CASES", "JOBS", "STATES", "CREATED"]
    assert first.startswith(f"{created['id'][-8:]}  long")
    assert "have not ended" in refusal_of(run("experiments", "delete", "last"))
    output = output_of(run("experiments", "cancel", created["id"][-12:]))
    assert output.startswith("long: ")
    assert output.endswith(f", at {service.url}.\n")
    followed = run("experiments", "follow", "last")
    assert (followed.returncode, followed.stderr.count("forger jobs show")) == (1, 2)
    assert "its jobs stay" in output_of(run("experiments", "delete", created["id"]))
    assert json.loads(output_of(run("experiments", "show", experiment["id"], "--json")))["cases"] == [
        "plain",
        "hinge",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("experiment", "list.json"), "holds no experiment"),
        (("experiment", "bad.json"), "surplus"),
        (("experiments", "show", "zzz"), "`forger experiments` lists them"),
        (("experiments", "show", "last", "--out", "table.xls"), "end the name in .png, .csv or .parquet"),
        (("compare", "last"), "two jobs or more"),
        (("compare", "last", "last"), "named twice"),
    ],
)
def test_invalid_command_is_refused_with_one_sentence(
    words: tuple[str, ...], message: str, run: Run, tmp_path: Path, experiment: dict[str, Any]
) -> None:
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bad.json").write_text('{"recipe": "gan", "surplus": 1}')
    assert message in refusal_of(run(*words))


def test_compare_prints_tables_and_writes_one_picture(run: Run, tmp_path: Path, experiment: dict[str, Any]) -> None:
    ids = [job["id"] for job in experiment["jobs"]]
    output = output_of(run("compare", *ids, "--out", "two.png"))
    assert "/objective" in output
    assert "non_saturating(smoothing=0)" in output
    assert "hinge, seed 1" in output
    assert "divergence ↓" in output
    assert "two.png: 2 jobs" in output
    with Image.open(tmp_path / "two.png") as picture:
        assert picture.width > 500
        assert picture.height > 600, "samples above curves"
    comparison = json.loads(output_of(run("compare", *ids, "--json")))
    assert [difference["path"] for difference in comparison["differences"]] == ["/objective"]


def test_compare_draws_samples_of_picture_models(
    run: Run, service: Service, tmp_path: Path, experiment: dict[str, Any]
) -> None:
    digits = service.post(recipe="gan", dataset="digits", budget={"steps": 1})
    service.wait_for(digits, "succeeded")
    assert "/data" in output_of(run("compare", digits, experiment["jobs"][0]["id"], "-o", "digits.png"))
    with Image.open(tmp_path / "digits.png") as picture:
        assert picture.width > 16 * 64, "sixteen digits of 16 px, enlarged four times"
