"""Comparison of jobs: recipe differences, curves, figures by provenance, samples."""

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


def ring_job(**overrides: Any) -> JobView:
    return make_job("gan", "ring8", 60, **overrides)


def test_jobs_are_listed_with_their_published_models(database: Path) -> None:
    one, other = make_job(), ring_job()
    succeed(one.id, {"frechet": 3.0})
    comparison = compare([one.id, other.id])
    assert [(job.id, job.family, job.dataset, job.state, job.seed) for job in comparison.jobs] == [
        (one.id, "cdcgan", "digits", "succeeded", 1),
        (other.id, "gan", "ring8", "queued", 1),
    ]
    assert [job.model for job in comparison.jobs] == ["cdcgan-digits@1", None]


def test_only_differing_settings_are_listed(database: Path) -> None:
    comparison = compare([ring_job().id, ring_job(batch_size=64, objective={"kind": "hinge"}).id])
    assert {difference.path for difference in comparison.differences} >= {"/batch_size", "/objective"}
    assert "/generator" not in {difference.path for difference in comparison.differences}
    assert compare([ring_job().id, ring_job().id]).differences == []


def test_curves_are_thinned(database: Path) -> None:
    one, other = ring_job(), ring_job()
    with unit_of_work() as session:
        points.put(session, one.id, [(1, {"figure/transport": None})])
        points.put(session, other.id, [(1, {"critic/x": 2.0})])
        points.put(session, one.id, [(step, {"critic/x": 1.0}) for step in range(1, COMPARED_CURVE_POINTS + 60)])
    compared = compare([one.id, other.id]).curves
    curves = {curve.name: {of_job.job: of_job.points for of_job in curve.jobs} for curve in compared}
    assert curves["figure/transport"] == {one.id: [(1, None)]}
    assert curves["critic/x"][other.id] == [(1, 2.0)]
    long = curves["critic/x"][one.id]
    assert len(long) <= COMPARED_CURVE_POINTS
    assert (long[0][0], long[-1][0]) == (1, COMPARED_CURVE_POINTS + 59)


def test_figures_are_ranked_by_provenance(database: Path) -> None:
    one, other = ring_job(), ring_job(batch_size=64)
    succeed(one.id, {"transport": 0.3, "modes": 6})
    succeed(other.id, {"transport": 0.2, "modes": 5})
    evaluation = evaluate(one.id, {"transport": 0.25}, step=20)
    rankings = [
        (figure.name, figure.provenance["by"], [(ranked.job, ranked.value) for ranked in figure.jobs])
        for figure in compare([one.id, other.id]).figures
    ]
    assert rankings == [
        ("modes", "watch", [(one.id, 6), (other.id, 5)]),
        ("transport", "watch", [(other.id, 0.2), (one.id, 0.3)]),
        ("transport", "evaluation", [(one.id, 0.25)]),
    ]
    assert compare([other.id, one.id]).figures[2].jobs[0].source == evaluation


def test_jobs_that_differ_only_in_their_seed_have_statistics(database: Path) -> None:
    first, other, alone = ring_job(), make_job("gan", "ring8", 60, seed=2), ring_job(batch_size=64)
    for job, value in ((first, 0.3), (other, 0.5), (alone, 0.2)):
        succeed(job.id, {"transport": value})
    (figure,) = compare([alone.id, first.id, other.id]).figures
    (cell,) = figure.cases
    assert (cell.case, cell.n) == (first.id, 2)
    assert cell.mean == pytest.approx(0.4)
    assert cell.deviation == pytest.approx(0.1 * 2**0.5)
    assert cell.interval == pytest.approx((0.4 - 1.2706205, 0.4 + 1.2706205))
    assert compare([alone.id, first.id]).figures[0].cases == (), "each recipe has one job"
    repeated = ring_job()
    succeed(repeated.id, {"transport": 0.3})
    assert compare([first.id, repeated.id]).figures[0].cases == (), "two jobs of one seed are one run"
    (cell,) = compare([first.id, repeated.id, other.id]).figures[0].cases
    assert cell.n == 2


def test_newest_evaluation_of_the_published_step_counts(database: Path) -> None:
    one, other = ring_job(), ring_job()
    succeed(one.id, {}, step=40)
    evaluate(one.id, {"transport": 0.1}, step=40)
    evaluate(one.id, {"transport": 0.2}, step=40)
    evaluate(one.id, {"transport": 0.3}, step=20)
    evaluate(one.id, {"transport": 0.4}, step=40, seed=1)
    rankings = compare([one.id, other.id]).figures
    assert [(ranking.provenance["seed"], ranking.jobs[0].value, ranking.jobs[0].step) for ranking in rankings] == [
        (0, 0.2, 40),
        (1, 0.4, 40),
    ]


def test_evaluations_of_unpublished_steps_are_left_out(database: Path) -> None:
    one, other = ring_job(), ring_job()
    succeed(one.id, {}, step=60)
    evaluate(one.id, {"transport": 0.1}, step=50)
    evaluate(other.id, {"transport": 0.2}, step=50)
    assert compare([one.id, other.id]).figures == []


def test_running_job_is_ranked_by_its_best_so_far(database: Path) -> None:
    one, other = ring_job(), ring_job()
    assert attempts.claim(one.id, "tests") is not None
    for step, value in ((20, 0.5), (40, 0.9)):
        record_report(one.id, 1, step, {"figure/transport": value, "critic/x": 1.0}, None)
    attempts.record_best(one.id, 1, 20, "transport", 0.5)
    comparison = compare([one.id, other.id])
    assert comparison.jobs[0].best == {"step": 20, "metric": "transport", "value": 0.5}
    (figure,) = comparison.figures
    assert (figure.name, figure.jobs[0].value, figure.jobs[0].step) == ("transport", 0.5, 20)


def test_samples_use_one_seed_and_are_scaled_up(database: Path) -> None:
    digits, points, waiting = make_job(), ring_job(), make_job()
    succeed(digits.id, {})
    assert attempts.claim(points.id, "tests") is not None
    record_report(points.id, 1, 20, {}, b"first")
    record_report(points.id, 1, 40, {}, b"second")
    of_digits, of_points, none = compare([digits.id, points.id, waiting.id]).samples
    assert of_digits.href == "/sample?model=cdcgan-digits@1&n=16&seed=1&scale=4"
    assert (of_points.href, of_points.report is not None and of_points.report.step) == (None, 40)
    assert (none.href, none.report) == (None, None)


def test_job_that_cannot_sample_has_no_sample_link(database: Path) -> None:
    translator, other = make_job("cyclegan", "day2night"), ring_job()
    succeed(translator.id, {})
    assert compare([translator.id, other.id]).samples[0].href is None


def test_too_few_too_many_or_repeated_jobs_are_refused(database: Path) -> None:
    job = ring_job().id
    for ids in ([job], ["job_x"] * (MAX_COMPARED_JOBS + 1)):
        with pytest.raises(Invalid, match="compared_jobs"):
            compare(ids)
    with pytest.raises(Invalid, match="twice") as refused:
        compare([ring_job().id, job, job])
    assert refused.value.errors[0].pointer == "/jobs/2"


def test_unknown_job_is_refused_with_its_pointer(database: Path) -> None:
    known = ring_job().id
    for unknown in ("job_x", "", "\x00", "job_" + "0" * 32):
        with pytest.raises(NotFound) as refused:
            compare([known, unknown])
        assert refused.value.errors[0].pointer == "/jobs/1"


def test_evaluation_job_cannot_be_compared(database: Path) -> None:
    one = ring_job()
    succeed(one.id, {})
    evaluation = evaluate(one.id, {}, step=20)
    with pytest.raises(Invalid, match=one.id) as refused:
        compare([one.id, evaluation])
    assert refused.value.errors[0].pointer == "/jobs/1"
