"""`forger evaluate` and `forger extend` against a real service."""

import json

import pytest

from tests.forger.cli.conftest import Run, good, refused
from tests.support.service import Service


@pytest.fixture(scope="module", autouse=True)
def model(service: Service) -> str:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 5})
    return str(service.wait_for(job, "succeeded")["result"]["model"])


def test_figures_come_as_a_table(run: Run, model: str) -> None:
    asked = ("-n", "200", "--figure", "modes", "--figure", "high_quality", "--figure", "transport")
    assert f"it evaluates {model}, of step 5." in good(run("evaluate", "gan-ring8", *asked))
    said = good(run("jobs", "follow", "last")).splitlines()
    assert said[:3] == ["queued", "running", "succeeded"]
    assert said[3].endswith(f" has measured {model}, of step 5:")
    assert said[4].split() == ["FIGURE", "VALUE", "BETTER", "MEANS"]
    assert {line.split()[0]: line.split()[2] for line in said[5:]} == {
        "transport": "low",
        "modes": "high",
        "high_quality": "high",
    }
    shown = good(run("jobs", "show", "last"))
    assert f"{model}, of step 5" in shown
    assert "modes captured" in shown
    told = json.loads(good(run("jobs", "show", "last", "--json")))
    assert (told["kind"], sorted(told["result"]["figures"])) == ("evaluate", ["high_quality", "modes", "transport"])
    assert "it has no steps" in refused(run("extend", "last", "--steps", "4"))


def test_what_cannot_be_evaluated_is_refused_in_a_sentence(run: Run) -> None:
    assert "There is no model 'nobody'" in refused(run("evaluate", "nobody"))
    assert "either a model or a checkpoint" in refused(run("evaluate", "gan-ring8", "--checkpoint", "ckpt_1"))


def test_a_training_goes_on(run: Run, service: Service) -> None:
    (trained,) = (job["id"] for job in service.client.get("/jobs?kind=train").json()["data"])
    said = good(run("extend", trained, "--steps", "4", "--follow")).splitlines()
    assert said[0] == f"{trained} goes on to step 9, at {service.url}."
    assert sum(line == "succeeded" for line in said) == 2, "its first end is part of its story"
    assert any(line.startswith("Training goes on from step 5 to step 9.") for line in said)
    assert said[-2].endswith("succeeded and published gan-ring8@2. Try it with:")
