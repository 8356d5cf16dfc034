"""A real collapse, and what every place that a person looks at says of it."""

from typing import Any

import pytest

from forger import Forger
from tests.forger.cli.conftest import Run, good
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
"""The generator runs to the one point that a critic which hardly learns likes best."""


@pytest.fixture(scope="module")
def collapsed(service: Service) -> str:
    job = service.post(**COLLAPSING)
    service.wait_for(job, "succeeded")
    return job


def test_a_collapse_is_told_by_jobs_models_cards_and_headers(service: Service, collapsed: str) -> None:
    job = service.job(collapsed)
    assert (job["health"]["state"], job["health"]["kind"], job["health"]["step"]) == ("troubled", "collapse", 100)
    assert job["health"]["message"].startswith("The generator repeats itself")
    (listed,) = (one for one in service.client.get("/jobs").json()["data"] if one["id"] == collapsed)
    assert listed["health"] == job["health"]
    (version,) = service.client.get("/models/one-mode").json()["versions"]
    assert version["health"] == version["card"]["health"]
    assert version["health"]["state"] == "troubled"
    reply = service.client.get("/sample", params={"model": "one-mode", "n": 4})
    assert reply.headers["Forger-Health"].startswith("troubled; kind=")


def test_a_collapse_is_told_on_the_command_line(run: Run, collapsed: str) -> None:
    (line,) = (line for line in good(run("jobs")).splitlines() if "one-mode@1" in line)
    assert "collapse" in line.split()
    assert "collapse: The generator repeats itself" in good(run("jobs", "show", collapsed))
    ending = good(run("jobs", "follow", collapsed)).splitlines()
    assert any(line.startswith("Health: collapse. The generator repeats itself") for line in ending)
    assert "HEALTH" in good(run("models"))


def test_a_picture_of_a_troubled_model_says_so_once(run: Run, service: Service, collapsed: str) -> None:
    drawn = run("sample", "--model", "one-mode", "-n", "4", "-o", "a.png")
    good(drawn)
    (line,) = drawn.stderr.splitlines()
    assert line.startswith("one-mode@1 is troubled (kind=collapse; step=100): `forger models show one-mode`")
    assert "collapse" in good(run("models", "show", "one-mode"))
    with Forger(service.url) as client:
        assert client.sample(model="one-mode").health == "troubled; kind=collapse; step=100"


def test_whoever_opts_out_is_told_that_nothing_is_known(run: Run, service: Service) -> None:
    quick = {"recipe": "gan", "dataset": "ring8", "budget": {"steps": 3}, "overrides": {"watch": None}}
    job = service.wait_for(service.post(**quick), "succeeded")
    assert (job["health"]["state"], job["health"]["kind"]) == ("unwatched", None)
    assert run("sample", "--model", job["model"], "-o", "b.png").stderr == ""
    assert "Nothing will be measured" in good(
        run("train", "gan", "--dataset", "ring8", "--set", "watch=null", "--dry-run")
    )
    assert "evaluated only at its end" in good(run("train", "gan", "--dataset", "ring8", "--steps", "3", "--dry-run"))
