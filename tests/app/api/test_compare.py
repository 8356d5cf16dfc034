"""GET /compare: jobs beside each other, over HTTP."""

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
    made = make_experiment(cases=[{"name": "a"}, {"name": "b", "overrides": {"objective": {"kind": "hinge"}}}], **RING)
    for job, transport in zip(made.jobs, (0.5, 0.25), strict=True):
        succeed(job.id, {"transport": transport})
    return [job.id for job in made.jobs]


def test_a_comparison_says_where_jobs_differ_and_which_is_better(client: TestClient, pair: list[str]) -> None:
    reply = client.get("/compare", params={"jobs": ",".join(pair)})
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert [job["case"]["name"] for job in found["jobs"]] == ["a", "b"]
    assert [one["path"] for one in found["differences"]] == ["/objective"]
    (ranking,) = found["figures"]
    assert (ranking["better"], [one["job"] for one in ranking["jobs"]]) == ("low", pair[::-1])


def test_the_figures_of_one_job_say_where_they_come_from_and_how_to_cite_them(
    client: TestClient, pair: list[str]
) -> None:
    (one,) = client.get(f"/jobs/{pair[0]}/figures").json()["data"]
    assert (one["name"], one["value"], one["better"], one["source"]) == ("transport", 0.5, "low", pair[0])
    assert one["citation"].startswith("earth mover's distance (Rubner et al. 2000, doi:10.1023/A:1026543900054) on ")
    assert one["citation"].endswith(f"; measured by Forger, job {pair[0]} at step {one['step']}")
    assert_problem(client.get("/jobs/job_x/figures"), 404)


def test_the_samples_it_links_are_of_one_noise(client: TestClient, publish: Publish) -> None:
    models = [publish(name="one"), publish(name="two")]
    jobs = [client.get(f"/models/{model}").json()["job"] for model in models]
    samples = client.get("/compare", params={"jobs": ",".join(jobs)}).json()["samples"]
    drawn = [client.get(sample["href"]) for sample in samples]
    assert [reply.status_code for reply in drawn] == [200, 200]
    assert [reply.headers["x-forger-model"] for reply in drawn] == models
    first, second = (without_text(reply.content) for reply in drawn)
    assert first == second, "the same weights and the same noise"


def test_a_comparison_is_one_picture_of_samples_and_curves(client: TestClient, publish: Publish) -> None:
    models = [publish(name="left"), publish(name="right")]
    jobs = ",".join(client.get(f"/models/{model}").json()["job"] for model in models)
    drawn = client.get("/compare", params={"jobs": jobs, "format": "png"})
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/png")
    asked = client.get("/compare", params={"jobs": jobs}, headers={"Accept": "image/png"})
    assert asked.content == drawn.content
    with Image.open(io.BytesIO(drawn.content)) as picture:
        assert picture.width <= plots.SHEET_WIDTH + 2 * plots.PADDING
        assert picture.height > 2 * 64, "two rows of digits of 16 px, enlarged four times"
    assert_problem(client.get("/compare", params={"jobs": jobs}, headers={"Accept": "text/csv"}), 406)


def test_without_samples_and_curves_there_is_nothing_to_draw(client: TestClient) -> None:
    made = make_experiment(cases=[{"name": "c"}, {"name": "d", "overrides": {"objective": {"kind": "hinge"}}}], **RING)
    reply = client.get("/compare", params={"jobs": ",".join(job.id for job in made.jobs), "format": "png"})
    assert_problem(reply, 409)
    assert reply.json()["code"] == "nothing_to_draw"


def test_what_cannot_be_compared_is_pointed_at(client: TestClient, pair: list[str]) -> None:
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
