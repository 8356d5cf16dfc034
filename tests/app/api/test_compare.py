"""GET /compare: jobs beside each other, as JSON and as a picture."""

import io

import pytest
from PIL import Image
from starlette.testclient import TestClient

from data import plots
from tests.app.api.conftest import Publish
from tests.support.experiments import RING, make_experiment, succeed
from tests.support.png_chunks import without_text
from tests.support.problems import assert_problem


@pytest.fixture(scope="module")
def pair(client: TestClient) -> list[str]:
    """Return the ids of two measured jobs that differ in their objective."""
    experiment = make_experiment(
        cases=[{"name": "a"}, {"name": "b", "overrides": {"objective": {"kind": "hinge"}}}], **RING
    )
    for job, transport in zip(experiment.jobs, (0.5, 0.25), strict=True):
        succeed(job.id, {"transport": transport})
    return [job.id for job in experiment.jobs]


def test_comparison_shows_recipe_differences_and_ranks_the_jobs(client: TestClient, pair: list[str]) -> None:
    reply = client.get("/compare", params={"jobs": ",".join(pair)})
    assert reply.status_code == 200, reply.text
    comparison = reply.json()
    assert [job["case"]["name"] for job in comparison["jobs"]] == ["a", "b"]
    assert [one["path"] for one in comparison["differences"]] == ["/objective"]
    (ranking,) = comparison["figures"]
    assert (ranking["better"], [one["job"] for one in ranking["jobs"]]) == ("low", pair[::-1])


def test_figures_of_a_job_have_a_source_and_a_citation(client: TestClient, pair: list[str]) -> None:
    (figure,) = client.get(f"/jobs/{pair[0]}/figures").json()["data"]
    assert (figure["name"], figure["value"], figure["better"], figure["source"]) == ("transport", 0.5, "low", pair[0])
    assert figure["citation"].startswith("earth mover's distance (Rubner et al. 2000, doi:10.1023/A:1026543900054) on ")
    assert figure["citation"].endswith(f"; measured by Forger, job {pair[0]} at step {figure['step']}")
    assert_problem(client.get("/jobs/job_x/figures"), 404)


def test_linked_samples_of_compared_jobs_use_the_same_noise(client: TestClient, publish: Publish) -> None:
    models = [publish(name="one"), publish(name="two")]
    jobs = [client.get(f"/models/{model}").json()["job"] for model in models]
    samples = client.get("/compare", params={"jobs": ",".join(jobs)}).json()["samples"]
    replies = [client.get(sample["href"]) for sample in samples]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert [reply.headers["x-forger-model"] for reply in replies] == models
    first, second = (without_text(reply.content) for reply in replies)
    assert first == second, "the same weights and the same noise"


def test_comparison_as_png_shows_samples_and_curves(client: TestClient, publish: Publish) -> None:
    models = [publish(name="left"), publish(name="right")]
    jobs = ",".join(client.get(f"/models/{model}").json()["job"] for model in models)
    by_format = client.get("/compare", params={"jobs": jobs, "format": "png"})
    assert (by_format.status_code, by_format.headers["content-type"]) == (200, "image/png")
    by_accept = client.get("/compare", params={"jobs": jobs}, headers={"Accept": "image/png"})
    assert by_accept.content == by_format.content
    with Image.open(io.BytesIO(by_format.content)) as picture:
        assert picture.width <= plots.SHEET_WIDTH + 2 * plots.PADDING
        assert picture.height > 2 * 64, "two rows of digits of 16 px, enlarged four times"
    assert_problem(client.get("/compare", params={"jobs": jobs}, headers={"Accept": "text/csv"}), 406)


def test_comparison_as_png_without_samples_and_curves_replies_409(client: TestClient) -> None:
    experiment = make_experiment(
        cases=[{"name": "c"}, {"name": "d", "overrides": {"objective": {"kind": "hinge"}}}], **RING
    )
    reply = client.get("/compare", params={"jobs": ",".join(job.id for job in experiment.jobs), "format": "png"})
    assert_problem(reply, 409)
    assert reply.json()["code"] == "nothing_to_draw"


def test_invalid_or_unknown_jobs_are_refused_with_a_pointer(client: TestClient, pair: list[str]) -> None:
    for jobs, status, pointer in (
        (None, 422, "/jobs"),
        ("", 422, "/jobs"),
        (pair[0], 422, "/jobs"),
        (f"{pair[0]},{pair[0]}", 422, "/jobs/1"),
        (f"{pair[0]},", 404, "/jobs/1"),
        (f"{pair[0]},job_x", 404, "/jobs/1"),
        ("x," * 5000, 422, "/jobs"),
    ):
        reply = client.get("/compare", params={} if jobs is None else {"jobs": jobs})
        assert_problem(reply, status)
        assert [error["pointer"] for error in reply.json()["errors"]] == [pointer]
