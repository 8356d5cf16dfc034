"""Every request of docs/course.md trains as written, and measures what its question needs."""

import json
import re
from typing import Any

import pytest

from app.core.settings import CHECKOUT
from models.spec.families import FAMILIES
from models.spec.resolve import resolve
from tests.support.service import Service

PAGE = (CHECKOUT / "docs" / "course.md").read_text()
REQUESTS: list[dict[str, Any]] = [
    json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
]
NAMES = [request["model"] for request in REQUESTS]
CURVES = {
    "ring8": {"figure/divergence", "figure/modes", "figure/high_quality", "figure/reverse_kl"},
    "digits": {"figure/pixel_variety", "figure/coverage", "gauge/critic_accuracy"},
}
"""by dataset, what the questions of its exercises are answered from"""


def test_course_has_eight_exercises_that_end_in_a_question() -> None:
    parts = re.split(r"^## \d\. ", PAGE, flags=re.MULTILINE)[1:]
    assert len(parts) == 8
    for part in parts:
        assert re.findall(r"^\*\*(\w+)[.*]", part, re.MULTILINE)[0] == "Aim"
        assert "**Train** " in part
        assert "**Watch.** " in part
        assert re.search(r"\*\*Question\.\*\* .*[?.]\n(\n(- .+\n)+)?\n?\Z", part)


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_request_is_a_whole_recipe_of_a_known_family(request_: dict[str, Any]) -> None:
    _, recipe = resolve(
        request_["recipe"], **{name: request_[name] for name in ("dataset", "seed", "budget", "overrides")}
    )
    assert request_["recipe"] in FAMILIES
    assert recipe.watch is not None
    assert recipe.budget.steps <= 800


def test_runs_to_compare_differ_in_one_thing() -> None:
    by_model = {request["model"]: request for request in REQUESTS}

    def changed(one: str, other: str) -> list[str]:
        first, second = ({**by_model[name], **by_model[name]["overrides"]} for name in (one, other))
        names = {name for name in first | second if first.get(name) != second.get(name)}
        return sorted(names - {"model", "overrides"})

    assert changed("course-ring", "course-ring-2") == ["seed"]
    assert changed("course-ring", "course-minimax") == ["objective"]
    assert changed("course-ring", "course-smoothed") == ["objective"]
    assert changed("course-lost", "course-lost-smoothed") == ["objective"]
    assert changed("course-lost", "course-lost-r1") == ["penalties"]


@pytest.mark.parametrize("request_", REQUESTS, ids=NAMES)
def test_request_trains_and_measures_what_its_question_needs(service: Service, request_: dict[str, Any]) -> None:
    few_steps = {
        "budget": {"steps": 2},
        "overrides": request_["overrides"] | {"checkpoint_every": 1, "watch": {"every": 1}},
    }
    reply = service.client.post("/jobs", json=request_ | few_steps)
    assert reply.status_code == 201, reply.text
    job = reply.json()["id"]
    service.wait_for(job, "succeeded")
    measured = {curve["name"] for curve in service.client.get(f"/jobs/{job}/metrics").json()["data"]}
    assert measured >= CURVES[request_["dataset"]]
