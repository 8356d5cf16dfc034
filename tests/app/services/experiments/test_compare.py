"""Jobs beside each other: differences, curves, figures told apart by provenance, samples."""

from pathlib import Path
from typing import Any

import pytest

from app.core.errors import Invalid, NotFound
from app.core.limits import COMPARED_CURVE_POINTS, MAX_COMPARED_JOBS
from app.db.repositories import points
from app.db.session import unit_of_work
from app.services.experiments.compare import compare
from app.services.jobs import attempts
from app.services.views import JobView
from tests.support.experiments import evaluate, succeed
from tests.support.jobs import make_job, record_report


def ring(**overrides: Any) -> JobView:
    return make_job("gan", "ring8", 60, **overrides)


def test_jobs_are_told_with_what_they_published(database: Path) -> None:
    one, other = make_job(), ring()
    succeed(one.id, {"frechet": 3.0})
    made = compare([one.id, other.id])
    assert [(job.id, job.family, job.dataset, job.state, job.seed) for job in made.jobs] == [
        (one.id, "cdcgan", "digits", "succeeded", 1),
        (other.id, "gan", "ring8", "queued", 1),
    ]
    assert [job.model for job in made.jobs] == ["cdcgan-digits@1", None]


def test_only_what_differs_is_told(database: Path) -> None:
    made = compare([ring().id, ring(batch_size=64, objective={"kind": "hinge"}).id])
    assert {found.path for found in made.differences} >= {"/batch_size", "/objective"}
    assert "/generator" not in {found.path for found in made.differences}
    assert compare([ring().id, ring().id]).differences == []


def test_curves_are_short(database: Path) -> None:
    one, other = ring(), ring()
    with unit_of_work() as session:
        points.put(session, one.id, [(1, {"figure/transport": None})])
        points.put(session, other.id, [(1, {"critic/x": 2.0})])
        points.put(session, one.id, [(step, {"critic/x": 1.0}) for step in range(1, COMPARED_CURVE_POINTS + 60)])
    curves = {
        found.name: {curve.job: curve.points for curve in found.jobs} for found in compare([one.id, other.id]).curves
    }
    assert curves["figure/transport"] == {one.id: [(1, None)]}
    assert curves["critic/x"][other.id] == [(1, 2.0)]
    long = curves["critic/x"][one.id]
    assert len(long) <= COMPARED_CURVE_POINTS
    assert (long[0][0], long[-1][0]) == (1, COMPARED_CURVE_POINTS + 59)


def test_figures_are_ranked_under_their_provenance(database: Path) -> None:
    one, other = ring(), ring(batch_size=64)
    succeed(one.id, {"transport": 0.3, "modes": 6})
    succeed(other.id, {"transport": 0.2, "modes": 5})
    judge = evaluate(one.id, {"transport": 0.25}, step=20)
    found = [
        (one_.name, one_.provenance["by"], [(r.job, r.value) for r in one_.jobs])
        for one_ in compare([one.id, other.id]).figures
    ]
    assert found == [
        ("modes", "watch", [(one.id, 6), (other.id, 5)]),
        ("transport", "watch", [(other.id, 0.2), (one.id, 0.3)]),
        ("transport", "evaluation", [(one.id, 0.25)]),
    ]
    assert compare([other.id, one.id]).figures[2].jobs[0].source == judge


def test_jobs_that_differ_in_their_seed_alone_have_a_spread(database: Path) -> None:
    first, other, alone = ring(), make_job("gan", "ring8", 60, seed=2), ring(batch_size=64)
    for job, value in ((first, 0.3), (other, 0.5), (alone, 0.2)):
        succeed(job.id, {"transport": value})
    (found,) = compare([alone.id, first.id, other.id]).figures
    (cell,) = found.cases
    assert (cell.case, cell.n) == (first.id, 2)
    assert cell.mean == pytest.approx(0.4)
    assert cell.deviation == pytest.approx(0.1 * 2**0.5)
    assert cell.interval == pytest.approx((0.4 - 1.2706205, 0.4 + 1.2706205))
    assert compare([alone.id, first.id]).figures[0].cases == (), "no two of one recipe"
    again = ring()
    succeed(again.id, {"transport": 0.3})
    assert compare([first.id, again.id]).figures[0].cases == (), "the same seed twice is one run"
    (cell,) = compare([first.id, again.id, other.id]).figures[0].cases
    assert cell.n == 2


def test_of_evaluations_those_of_what_was_published_count_and_the_newest_of_them(database: Path) -> None:
    one, other = ring(), ring()
    succeed(one.id, {}, step=40)
    evaluate(one.id, {"transport": 0.1}, step=40)
    evaluate(one.id, {"transport": 0.2}, step=40)
    evaluate(one.id, {"transport": 0.3}, step=20)
    evaluate(one.id, {"transport": 0.4}, step=40, seed=1)
    rankings = compare([one.id, other.id]).figures
    assert [(found.provenance["seed"], found.jobs[0].value, found.jobs[0].step) for found in rankings] == [
        (0, 0.2, 40),
        (1, 0.4, 40),
    ]


def test_only_evaluations_of_what_was_published_count(database: Path) -> None:
    one, other = ring(), ring()
    succeed(one.id, {}, step=60)
    evaluate(one.id, {"transport": 0.1}, step=50)
    evaluate(other.id, {"transport": 0.2}, step=50)
    assert compare([one.id, other.id]).figures == []


def test_a_job_that_trains_is_known_by_its_best_so_far(database: Path) -> None:
    one, other = ring(), ring()
    assert attempts.claim(one.id, "tests") is not None
    for step, value in ((20, 0.5), (40, 0.9)):
        record_report(one.id, 1, step, {"figure/transport": value, "critic/x": 1.0}, None)
    attempts.record_best(one.id, 1, 20, "transport", 0.5)
    made = compare([one.id, other.id])
    assert made.jobs[0].best == {"step": 20, "metric": "transport", "value": 0.5}
    assert [(found.name, found.jobs[0].value, found.jobs[0].step) for found in made.figures] == [("transport", 0.5, 20)]


def test_samples_are_of_one_noise_and_large_enough_to_see(database: Path) -> None:
    digits, points, waiting = make_job(), ring(), make_job()
    succeed(digits.id, {})
    assert attempts.claim(points.id, "tests") is not None
    record_report(points.id, 1, 20, {}, b"first")
    record_report(points.id, 1, 40, {}, b"second")
    of_digits, of_points, none = compare([digits.id, points.id, waiting.id]).samples
    assert of_digits.href == "/sample?model=cdcgan-digits@1&n=16&seed=1&scale=4"
    assert (of_points.href, of_points.report is not None and of_points.report.step) == (None, 40)
    assert (none.href, none.report) == (None, None)


def test_what_draws_nothing_has_no_sample(database: Path) -> None:
    night, other = make_job("cyclegan", "day2night"), ring()
    succeed(night.id, {})
    assert compare([night.id, other.id]).samples[0].href is None


def test_few_or_too_many_or_the_same_are_refused(database: Path) -> None:
    job = ring().id
    for ids in ([job], ["job_x"] * (MAX_COMPARED_JOBS + 1)):
        with pytest.raises(Invalid, match="compared_jobs"):
            compare(ids)
    with pytest.raises(Invalid, match="twice") as refused:
        compare([ring().id, job, job])
    assert refused.value.errors[0].pointer == "/jobs/2"


def test_a_job_that_is_not_there_is_pointed_at(database: Path) -> None:
    known = ring().id
    for unknown in ("job_x", "", "\x00", "job_" + "0" * 32):
        with pytest.raises(NotFound) as refused:
            compare([known, unknown])
        assert refused.value.errors[0].pointer == "/jobs/1"


def test_a_job_that_evaluates_is_no_rival(database: Path) -> None:
    one = ring()
    succeed(one.id, {})
    judge = evaluate(one.id, {}, step=20)
    with pytest.raises(Invalid, match=one.id) as refused:
        compare([one.id, judge])
    assert refused.value.errors[0].pointer == "/jobs/1"
