"""Figures are ranked and averaged only among those of equal provenance."""

import re
from typing import Any

import pytest

from app.services.jobs import measurements
from app.services.jobs.measurements import MeasuredFigure, group_figures, rank_figures, summarise, watch_provenance
from models.spec.resolve import resolve
from models.spec.watch import FIGURES

WATCHED: dict[str, Any] = {"by": "watch", "n_fake": 64}
EVALUATED: dict[str, Any] = {"by": "evaluation", "n_fake": 5000, "seed": 0}


def figure(
    job: str, value: float | None, name: str = "frechet", provenance: dict[str, Any] | None = None
) -> MeasuredFigure:
    return MeasuredFigure(job, name, value, WATCHED if provenance is None else provenance, job, 10)


def provenance(family: str, **request: Any) -> dict[str, Any]:
    return watch_provenance(resolve(family, **request)[1])


def test_figures_of_different_provenance_are_grouped_apart() -> None:
    groups = group_figures(
        [figure("a", 1), figure("b", 2, provenance=EVALUATED), figure("c", 3), figure("a", 4, "coverage")]
    )
    assert [(group.name, [each.job for each in group.measured]) for group in groups] == [
        ("frechet", ["a", "c"]),
        ("frechet", ["b"]),
        ("coverage", ["a"]),
    ]


def test_provenance_ignores_the_order_of_its_members() -> None:
    reordered = dict(reversed(EVALUATED.items()))
    (group,) = group_figures([figure("a", 1, provenance=EVALUATED), figure("b", 2, provenance=reordered)])
    assert len(group.measured) == 2


@pytest.mark.parametrize(("name", "order"), [("frechet", "bacd"), ("coverage", "cabd"), ("own_invention", "abcd")])
def test_better_figures_rank_first(name: str, order: str) -> None:
    (group,) = group_figures(
        [figure("a", 2, name), figure("b", 1, name), figure("c", 3, name), figure("d", None, name)]
    )
    assert "".join(each.job for each in rank_figures(group)) == order


def test_summary_has_mean_deviation_interval_and_count_of_each_case() -> None:
    case_of = {"a1": "a", "b1": "b", "a2": "a", "b2": "b", "c1": "c"}
    values = {"a1": 1.0, "a2": 3.0, "b1": 5.0, "b2": None, "c1": None}
    (summary,) = summarise([figure(job, value) for job, value in values.items()], case_of)
    assert [(cell.case, cell.mean, cell.deviation, cell.interval, cell.n, cell.best) for cell in summary.cases] == [
        ("a", 2.0, pytest.approx(2**0.5), pytest.approx((2 - 12.706204736, 2 + 12.706204736)), 2, True),
        ("b", 5.0, None, None, 1, False),
        ("c", None, None, None, 0, False),
    ]


def test_best_is_not_marked_for_one_case_ties_or_unknown_figures() -> None:
    (alone,) = summarise([figure("a1", 1.0)], {"a1": "a"})
    assert not alone.cases[0].best
    (equal,) = summarise([figure("a", 1.0), figure("b", 1.0)], {"a": "a", "b": "b"})
    assert [cell.best for cell in equal.cases] == [False, False]
    (missing,) = summarise([figure("a", None)], {"a": "a"})
    assert [(cell.mean, cell.n, cell.best) for cell in missing.cases] == [(None, 0, False)]
    (unknown,) = summarise([figure("a", 1, "own_invention"), figure("b", 2, "own_invention")], {"a": "a", "b": "b"})
    assert [cell.best for cell in unknown.cases] == [False, False]


def test_highest_coverage_is_marked_best() -> None:
    (summary,) = summarise([figure("a", 0.5, "coverage"), figure("b", 0.9, "coverage")], {"a": "a", "b": "b"})
    assert [cell.best for cell in summary.cases] == [False, True]


def test_each_provenance_gets_its_own_summary() -> None:
    both = [figure("a", 1), figure("b", 2), figure("a", 9, provenance=EVALUATED)]
    assert [len(summary.cases) for summary in summarise(both, {"a": "a", "b": "b"})] == [2, 1]


def test_watch_provenance_depends_only_on_data_and_samples() -> None:
    assert provenance("dcgan") == provenance("dcgan", seed=5, overrides={"objective": {"kind": "hinge"}})
    assert provenance("dcgan") != provenance("sngan"), "another batch size draws other samples"
    assert provenance("dcgan") != provenance("dcgan", dataset="mnist")
    assert provenance("dcgan") != provenance("dcgan", overrides={"data": {"side": 32}})


def test_watch_provenance_differs_between_tasks() -> None:
    provenances = [provenance("srgan", dataset="digits"), provenance("inpaint", dataset="digits"), provenance("vae")]
    assert len({measurements.provenance_key(one) for one in provenances}) == 3
    assert "game" not in provenance("vae", dataset="ring8"), "errors of points are comparable between games"


def test_provenance_text_names_source_and_settings() -> None:
    assert figure("a", 1).provenance_text == "while training, n_fake 64"
    assert (
        figure("a", 1, provenance=EVALUATED | {"features": "none"}).provenance_text == "evaluated, n_fake 5000, seed 0"
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("frechet", "Fréchet distance of features (Heusel et al. 2017, arXiv:1706.08500) on digits; "),
        ("psnr_a2b", "peak signal-to-noise ratio, dB on digits; "),
        ("own_invention", "own_invention on digits; "),
    ],
)
def test_citation_names_figure_dataset_and_settings(name: str, line: str) -> None:
    measured = figure("a", 1, name, EVALUATED | {"data": {"dataset": "digits"}})
    settings = "evaluated, n_fake 5000, evaluation seed 0; measured by Forger, job a at step 10"
    assert measured.citation == line + settings


def test_citation_says_when_features_are_not_inception() -> None:
    assert "not Inception's" in figure("a", 1, provenance=EVALUATED | {"features": "own:1f2e"}).citation


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.source])
def test_source_of_each_figure_has_a_year_and_an_identifier(name: str) -> None:
    for source in FIGURES[name].source.split("; "):
        assert source == "this project" or re.search(r" (19|20)\d\d, (arXiv:\d{4}\.\d{4,5}|doi:10\.\S+)$", source)
