"""The six runs of the lecture: their words and figures are those of the docs, and their requests can be sent."""

import re

import pytest
from starlette.testclient import TestClient

from app.core.settings import CHECKOUT
from app.services.lectures import lectures
from tests.support.problems import assert_problem

PAGE = (CHECKOUT / "docs" / "lecture.md").read_text()
NAMES = [lecture.name for lecture in lectures()]


@pytest.fixture(scope="module")
def backend() -> str:
    """These tests do not depend on the database."""
    return "sqlite"


def test_list_has_the_runs_of_the_page_in_its_order(client: TestClient) -> None:
    listed = client.get("/lectures").json()["data"]
    assert [one["name"] for one in listed] == re.findall(r"^`examples/lecture/(\w+)\.json`", PAGE, re.MULTILINE)
    assert [one["title"] for one in listed] == re.findall(r"^## (.+)\n\n`examples/lecture", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_request_of_a_run_is_accepted_with_another_dataset_and_budget(client: TestClient, name: str) -> None:
    request = next(one["request"] for one in client.get("/lectures").json()["data"] if one["name"] == name)
    plan = client.post("/jobs", json=request | {"dataset": "digits", "budget": {"steps": 60}, "dry_run": True}).json()
    assert plan["refusals"] == []
    assert plan["recipe"]["budget"]["steps"] == 60


@pytest.mark.parametrize("name", NAMES)
def test_losses_agree_with_the_table_of_the_page(client: TestClient, name: str) -> None:
    lecture = next(one for one in client.get("/lectures").json()["data"] if one["name"] == name)
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` | "))
    _, steps, seconds, *pairs = (cell.strip() for cell in row.strip("|").split("|"))
    losses, course = lecture["losses"], lecture["course"]
    assert (int(steps.replace(",", "")), int(seconds)) == (lecture["steps"], round(lecture["seconds"]))
    written = [[float(number) for number in re.findall(r"\d*\.\d+", pair)] for pair in pairs]
    shown = [[one["generator"], one["critic"]] for one in (losses[0], losses[-1], *(course or ()))]
    for pair, expected in zip(shown, [pair for pair in written if pair], strict=True):
        assert pair == pytest.approx(expected, abs=0.006)


def test_picture_of_a_run_is_the_file_of_the_docs_and_is_revalidated(client: TestClient) -> None:
    reply = client.get("/lectures/good/picture")
    assert reply.content == (CHECKOUT / "docs" / "pictures" / "lecture" / "good.png").read_bytes()
    assert (reply.headers["content-type"], reply.headers["cache-control"]) == ("image/png", "no-cache")


def test_unknown_run_is_a_404_with_the_nearest_name(client: TestClient) -> None:
    problem = assert_problem(client.get("/lectures/mode_colapse/picture"), 404)
    assert problem["code"] == "no_lecture"
    assert "Did you mean 'mode_collapse'?" in problem["detail"]
