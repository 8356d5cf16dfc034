"""A training that really collapses, and how jobs, models, headers and commands report it."""

from typing import Any

import pytest

from forger import Forger
from tests.forger.cli.conftest import Run, output_of
from tests.support.service import Service

COLLAPSING: dict[str, Any] = {
    "recipe": "gan",
    "dataset": "ring8",
    "seed": 1,
    "budget": {"steps": 100},
    "overrides": {
        "generator_optimizer": {"rate": 0.01},
        "critic_optimizer": {"rate": 1e-5},
        "ema": {"decay": 0},
        "checkpoint_every": 25,
        "watch": {"every": 25, "samples": 500},
    },
    "model": "one-mode",
}
"""The critic hardly learns, so the generator collapses to the point that the critic scores highest."""


@pytest.fixture(scope="module")
def collapsed(service: Service) -> str:
    job = service.post(**COLLAPSING)
    service.wait_for(job, "succeeded")
    return job


def test_collapse_is_reported_by_jobs_models_cards_and_headers(service: Service, collapsed: str) -> None:
    job = service.job(collapsed)
    assert (job["health"]["state"], job["health"]["kind"], job["health"]["step"]) == ("troubled", "collapse", 100)
    assert job["health"]["message"].startswith("The generator repeats itself")
    (listed,) = (entry for entry in service.client.get("/jobs").json()["data"] if entry["id"] == collapsed)
    assert listed["health"] == job["health"]
    (version,) = service.client.get("/models/one-mode").json()["versions"]
    assert version["health"] == version["card"]["health"]
    assert version["health"]["state"] == "troubled"
    reply = service.client.get("/sample", params={"model": "one-mode", "n": 4})
    assert reply.headers["Forger-Health"].startswith("troubled; kind=")


def test_collapse_is_reported_on_the_command_line(run: Run, collapsed: str) -> None:
    (line,) = (line for line in output_of(run("jobs")).splitlines() if "one-mode@1" in line)
    assert "collapse" in line.split()
    assert "collapse: The generator repeats itself" in output_of(run("jobs", "show", collapsed))
    ending = output_of(run("jobs", "follow", collapsed)).splitlines()
    assert any(line.startswith("Health: collapse. The generator repeats itself") for line in ending)
    assert "HEALTH" in output_of(run("models"))


def test_sample_of_a_troubled_model_warns_once(run: Run, service: Service, collapsed: str) -> None:
    completed = run("sample", "--model", "one-mode", "-n", "4", "-o", "a.png")
    output_of(completed)
    (line,) = completed.stderr.splitlines()
    assert line.startswith("one-mode@1 is troubled (kind=collapse; step=100): `forger models show one-mode`")
    assert "collapse" in output_of(run("models", "show", "one-mode"))
    with Forger(service.url) as client:
        assert client.sample(model="one-mode").health == "troubled; kind=collapse; step=100"


def test_training_without_a_watch_is_reported_as_unwatched(run: Run, service: Service) -> None:
    request = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "overrides": {"watch": None}}
    job = service.wait_for(service.post(**request), "succeeded")
    assert (job["health"]["state"], job["health"]["kind"]) == ("unwatched", None)
    assert run("sample", "--model", job["model"], "-o", "b.png").stderr == ""
    assert "Nothing will be measured" in output_of(
        run("train", "gan", "--dataset", "ring8", "--set", "watch=null", "--dry-run")
    )
    assert "evaluated only at its end" in output_of(
        run("train", "gan", "--dataset", "ring8", "--steps", "3", "--dry-run")
    )
