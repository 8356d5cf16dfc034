"""Figures are ranked and averaged only among those that were measured alike."""

import re
from typing import Any

import pytest

from app.services.jobs import measurements
from app.services.jobs.measurements import MeasuredFigure, group_figures, rank_figures, summarise, watch_provenance
from models.spec.resolve import resolve
from models.spec.watch import FIGURES

WATCH: dict[str, Any] = {"by": "watch", "n_fake": 64}
LATER: dict[str, Any] = {"by": "evaluation", "n_fake": 5000, "seed": 0}


def one(
    job: str, value: float | None, name: str = "frechet", provenance: dict[str, Any] | None = None
) -> MeasuredFigure:
    return MeasuredFigure(job, name, value, WATCH if provenance is None else provenance, job, 10)


def test_figures_of_different_provenance_stand_in_no_ranking_together() -> None:
    groups = group_figures([one("a", 1), one("b", 2, provenance=LATER), one("c", 3), one("a", 4, "coverage")])
    assert [(group.name, [each.job for each in group.measured]) for group in groups] == [
        ("frechet", ["a", "c"]),
        ("frechet", ["b"]),
        ("coverage", ["a"]),
    ]


def test_provenance_is_the_same_whatever_the_order_of_its_members() -> None:
    turned = dict(reversed(LATER.items()))
    (group,) = group_figures([one("a", 1, provenance=LATER), one("b", 2, provenance=turned)])
    assert len(group.measured) == 2


@pytest.mark.parametrize(("name", "order"), [("frechet", "bacd"), ("coverage", "cabd"), ("own_invention", "abcd")])
def test_the_better_comes_first(name: str, order: str) -> None:
    (group,) = group_figures([one("a", 2, name), one("b", 1, name), one("c", 3, name), one("d", None, name)])
    assert "".join(each.job for each in rank_figures(group)) == order


def test_a_table_has_mean_spread_and_number_of_each_case() -> None:
    case_of = {"a1": "a", "b1": "b", "a2": "a", "b2": "b", "c1": "c"}
    values = {"a1": 1.0, "a2": 3.0, "b1": 5.0, "b2": None, "c1": None}
    (summary,) = summarise([one(job, value) for job, value in values.items()], case_of)
    assert [(cell.case, cell.mean, cell.deviation, cell.interval, cell.n, cell.best) for cell in summary.cases] == [
        ("a", 2.0, pytest.approx(2**0.5), pytest.approx((2 - 12.706204736, 2 + 12.706204736)), 2, True),
        ("b", 5.0, None, None, 1, False),
        ("c", None, None, None, 0, False),
    ]


def test_the_best_of_one_is_not_marked_nor_where_nobody_knows_which_way_is_better() -> None:
    (alone,) = summarise([one("a1", 1.0)], {"a1": "a"})
    assert not alone.cases[0].best
    (equal,) = summarise([one("a", 1.0), one("b", 1.0)], {"a": "a", "b": "b"})
    assert [cell.best for cell in equal.cases] == [False, False]
    (lost,) = summarise([one("a", None)], {"a": "a"})
    assert [(cell.mean, cell.n, cell.best) for cell in lost.cases] == [(None, 0, False)]
    (odd,) = summarise([one("a", 1, "own_invention"), one("b", 2, "own_invention")], {"a": "a", "b": "b"})
    assert [cell.best for cell in odd.cases] == [False, False]


def test_high_is_better_for_coverage() -> None:
    (summary,) = summarise([one("a", 0.5, "coverage"), one("b", 0.9, "coverage")], {"a": "a", "b": "b"})
    assert [cell.best for cell in summary.cases] == [False, True]


def test_each_provenance_has_a_column_of_its_own() -> None:
    both = [one("a", 1), one("b", 2), one("a", 9, provenance=LATER)]
    assert [len(summary.cases) for summary in summarise(both, {"a": "a", "b": "b"})] == [2, 1]


def provenance(family: str, **asked: Any) -> dict[str, Any]:
    return watch_provenance(resolve(family, **asked)[1])


def test_what_was_measured_while_training_is_the_same_thing_where_data_and_samples_are() -> None:
    assert provenance("dcgan") == provenance("dcgan", seed=5, overrides={"objective": {"kind": "hinge"}})
    assert provenance("dcgan") != provenance("sngan"), "other batches: an evaluation has other samples"
    assert provenance("dcgan") != provenance("dcgan", dataset="mnist")
    assert provenance("dcgan") != provenance("dcgan", overrides={"data": {"side": 32}})


def test_errors_of_different_tasks_are_different_things() -> None:
    kinds = [provenance("srgan", dataset="digits"), provenance("inpaint", dataset="digits"), provenance("vae")]
    assert len({measurements.provenance_key(kind) for kind in kinds}) == 3
    assert "game" not in provenance("vae", dataset="ring8"), "distances of points are alike, whoever drew them"


def test_provenance_is_told_in_words() -> None:
    assert one("a", 1).provenance_text == "while training, n_fake 64"
    assert one("a", 1, provenance=LATER | {"features": "none"}).provenance_text == "evaluated, n_fake 5000, seed 0"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("frechet", "Fréchet distance of features (Heusel et al. 2017, arXiv:1706.08500) on digits; "),
        ("psnr_a2b", "peak signal-to-noise ratio, dB on digits; "),
        ("own_invention", "own_invention on digits; "),
    ],
)
def test_a_figure_has_a_line_to_cite_it_by(name: str, line: str) -> None:
    measured = one("a", 1, name, LATER | {"data": {"dataset": "digits"}})
    how = "evaluated, n_fake 5000, evaluation seed 0; measured by Forger, job a at step 10"
    assert measured.citation == line + how


def test_a_citation_says_that_features_are_not_inceptions() -> None:
    assert "not Inception's" in one("a", 1, provenance=LATER | {"features": "own:1f2e"}).citation


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.source])
def test_the_source_of_a_figure_names_a_year_and_where_to_find_it(name: str) -> None:
    for source in FIGURES[name].source.split("; "):
        assert source == "this project" or re.search(r" (19|20)\d\d, (arXiv:\d{4}\.\d{4,5}|doi:10\.\S+)$", source)
