"""`forger augment`, and the client's plans of augmentations, against a real service."""

import json

import pytest

from forger import Forger
from tests.forger.cli.conftest import Run, output_of
from tests.support.service import Service

SMALL = ("--per-class", "3", "--steps", "4", "--seeds", "3", "--classifier-steps", "10")


def test_dry_run_prints_the_plan_and_creates_no_job(run: Run, service: Service) -> None:
    before = len(service.client.get("/jobs").json()["data"])
    lines = output_of(run("augment", "digits", *SMALL, "--dry-run")).splitlines()
    assert lines[:2] == [
        "It can be augmented: digits, 3 pictures of each class, by cdcgan-digits-augment.",
        "The job trains this model first, a cdcgan.",
    ]
    assert lines[2].startswith("The training alone takes ")
    assert lines[3] == "Then it compares 12 classifiers on every fifth picture of each class."
    assert lines[4:] == [
        "Classifiers are too weak after 10 steps to conclude anything: train them for 100 steps or more."
    ]
    assert len(service.client.get("/jobs").json()["data"]) == before


def test_refused_dry_run_prints_the_reasons_and_fails(run: Run) -> None:
    refused = run("augment", "ring8", "--per-class", "3", "--dry-run")
    assert refused.returncode == 1
    assert refused.stdout.startswith("/dataset: 'ring8' consists of points")
    plan = json.loads(run("augment", "digits", *SMALL, "--recipe", "dcgan", "--dry-run", "--json").stdout)
    assert [refusal["pointer"] for refusal in plan["refusals"]] == ["/recipe"]


def test_client_plans_what_it_would_start(service: Service) -> None:
    how = {"recipe": "cdcgan", "budget": {"steps": 4}, "seeds": 3, "classifier_steps": 10}
    with Forger(service.url) as forger:
        plan = forger.try_augmentation("digits", 3, **how)  # type: ignore[arg-type]
        assert plan.refusals == []
        job = forger.augment("digits", 3, **how)  # type: ignore[arg-type]
        assert job.reply.spec == plan.spec
        job.cancel()


@pytest.mark.slow
def test_report_of_an_ended_augmentation_is_shown_with_its_job(run: Run) -> None:
    followed = output_of(run("augment", "digits", *SMALL, "--follow"))
    report = followed[followed.index("TRAINED WITH") :]
    assert "real pictures" in report
    assert report in output_of(run("jobs", "show", "last"))
    assert report in output_of(run("jobs", "follow", "last"))
