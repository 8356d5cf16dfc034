"""`forger evaluate` and `forger extend` against a real service."""

import json

import pytest

from tests.forger.cli.conftest import Run, output_of, refusal_of
from tests.support.service import Service


@pytest.fixture(scope="module", autouse=True)
def model(service: Service) -> str:
    job = service.post(recipe="gan", dataset="ring8", budget={"steps": 5})
    return str(service.wait_for(job, "succeeded")["result"]["model"])


def test_evaluate_prints_figures_as_a_table(run: Run, model: str) -> None:
    options = ("-n", "200", "--figure", "modes", "--figure", "high_quality", "--figure", "transport")
    assert f"it evaluates {model}, of step 5." in output_of(run("evaluate", "gan-ring8", *options))
    lines = output_of(run("jobs", "follow", "last")).splitlines()
    assert lines[:3] == ["queued", "running", "succeeded"]
    assert lines[3].endswith(f" has measured {model}, of step 5:")
    assert lines[4].split() == ["FIGURE", "VALUE", "BETTER", "MEANS"]
    assert {line.split()[0]: line.split()[2] for line in lines[5:]} == {
        "transport": "low",
        "modes": "high",
        "high_quality": "high",
    }
    shown = output_of(run("jobs", "show", "last"))
    assert f"{model}, of step 5" in shown
    assert "modes captured" in shown
    reply = json.loads(output_of(run("jobs", "show", "last", "--json")))
    assert (reply["kind"], sorted(reply["result"]["figures"])) == ("evaluate", ["high_quality", "modes", "transport"])
    assert "it has no steps" in refusal_of(run("extend", "last", "--steps", "4"))


def test_invalid_evaluations_are_refused_with_one_sentence(run: Run) -> None:
    assert "There is no model 'nobody'" in refusal_of(run("evaluate", "nobody"))
    assert "either a model or a checkpoint" in refusal_of(run("evaluate", "gan-ring8", "--checkpoint", "ckpt_1"))


def test_extend_continues_a_training_to_the_next_version(run: Run, service: Service) -> None:
    (trained,) = (job["id"] for job in service.client.get("/jobs?kind=train").json()["data"])
    lines = output_of(run("extend", trained, "--steps", "4", "--follow")).splitlines()
    assert lines[0] == f"{trained} goes on to step 9, at {service.url}."
    assert sum(line == "succeeded" for line in lines) == 2, "the log contains its first end too"
    assert any(line.startswith("Training goes on from step 5 to step 9.") for line in lines)
    assert lines[-2].endswith("succeeded and published gan-ring8@2. Try it with:")
