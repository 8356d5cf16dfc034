"""The cases of an experiment: built from the request, and mapped back to its pointers in refusals."""

from typing import Any

import pytest

from app.core.errors import Invalid
from app.core.limits import MAX_EXPERIMENT_JOBS
from app.services.experiments.grid import at_pointer, cases_of, model_name, seeds_of

HINGE = {"kind": "hinge"}


def test_single_recipe_is_one_case() -> None:
    (case,) = cases_of("wgan", {"batch_size": 8}, None, None)
    assert (case.name, case.recipe, case.overrides) == ("wgan", "wgan", {"batch_size": 8})
    assert case.client_pointer("/overrides/batch_size") == "/overrides/batch_size"


def test_cases_are_merged_over_the_common_overrides() -> None:
    common = {"batch_size": 8, "objective": {"kind": "minimax", "smoothing": 0.1}}
    requested: list[dict[str, Any]] = [
        {"name": "own", "overrides": {"objective": HINGE}},
        {"recipe": "wgan_gp", "overrides": None},
    ]
    first, other = cases_of("gan", common, requested, None)
    assert first.overrides == {"batch_size": 8, "objective": HINGE}
    assert (other.name, other.recipe, other.overrides) == ("wgan_gp", "wgan_gp", common)
    assert first.client_pointer("/overrides/objective/kind") == "/cases/0/overrides/objective/kind"
    assert (first.client_pointer("/recipe"), other.client_pointer("/recipe")) == ("/recipe", "/cases/1/recipe")
    assert first.client_pointer("/dataset") == "/dataset"
    assert first.client_pointer("/overridesque") == "/overridesque"


def test_grid_is_crossed_and_cases_are_named_by_their_values() -> None:
    grid: dict[str, Any] = {"/objective": [HINGE, {"kind": "minimax"}], "/generator_optimizer/rate": [0.001, 0.01]}
    cases = cases_of("gan", {"batch_size": 8}, None, grid)
    assert [case.name for case in cases] == ["hinge-rate-0.001", "hinge-rate-0.01", "minimax-rate-0.001",
                                            "minimax-rate-0.01"]  # fmt: skip
    assert cases[1].overrides == {"batch_size": 8, "objective": HINGE, "generator_optimizer": {"rate": 0.01}}
    assert cases[1].settings == {"/objective": HINGE, "/generator_optimizer/rate": 0.01}
    assert cases[1].client_pointer("/overrides/generator_optimizer/rate") == "/grid/~1generator_optimizer~1rate/1"
    assert cases[1].client_pointer("/overrides/objective/kind") == "/grid/~1objective/0/kind"
    assert cases[1].client_pointer("/overrides/batch_size") == "/overrides/batch_size"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([32, 64], ["at-32", "at-64"]),
        ([True, None, "Half Way"], ["at-true", "at-none", "half-way"]),
        ([[], [1, 2], [{"kind": "r1"}, {"kind": "r2"}]], ["at-none", "at-1-2", "r1-r2"]),
        ([{"kind": "r1", "weight": 1}, {"kind": "r1", "weight": 2}, {"kind": "r1"}], ["r1", "r1-2", "r1-3"]),
        (["§"], ["case"]),
        ([{"a": 1}], ["at-a-1"]),
        (["x" * 100], ["x" * 40]),
    ],
)
def test_case_names_are_valid_model_names(values: list[Any], names: list[str]) -> None:
    assert [case.name for case in cases_of("gan", None, None, {"/at": values})] == names


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        (("gan", None, [{"name": "a"}], {"/x": [1]}), "/grid"),
        ((None, None, None, None), "/recipe"),
        ((None, None, None, {"/x": [1]}), "/recipe"),
        ((None, None, [{"recipe": "gan"}, {"name": "b"}], None), "/cases/1/recipe"),
        (("gan", None, [{"name": "a"}, {"name": "a"}], None), "/cases/1/name"),
        (("gan", None, [{}, {}], None), "/cases/1/name"),
        (("gan", None, None, {"batch_size": [1]}), "/grid/batch_size"),
        (("gan", None, None, {"/a": list(range(20)), "/b": list(range(20))}), "/grid"),
    ],
)
def test_invalid_cases_are_refused_at_their_pointer(arguments: tuple[Any, ...], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        cases_of(*arguments)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_budget_of_a_case_replaces_the_common_budget() -> None:
    common = {"batch_size": 8, "budget": {"epochs": 3}}
    case_budget = {"name": "own", "overrides": {"budget": {"steps": 5}}}
    first, other = cases_of("gan", common, [case_budget, {"name": "other"}], None)
    assert first.overrides == {"batch_size": 8, "budget": {"steps": 5}}
    assert other.overrides == common
    assert (first.has_budget, other.has_budget) == (True, False)
    (crossed,) = cases_of("gan", common, None, {"/budget/steps": [7]})
    assert crossed.overrides == {"batch_size": 8, "budget": {"steps": 7}}
    assert crossed.has_budget


@pytest.mark.parametrize(
    ("arguments", "pointer"),
    [
        (("gan", None, None, {"/batch_size": [8], "/seed": [1, 2]}), "/grid/~1seed/0"),
        (("gan", None, [{"name": "a"}, {"name": "b", "overrides": {"seed": 2}}], None), "/cases/1/overrides/seed"),
        (("gan", {"seed": 2}, [{"name": "a"}], None), "/overrides/seed"),
        (("gan", {"seed": 2}, None, None), "/overrides/seed"),
    ],
)
def test_seed_outside_seeds_is_refused_at_its_pointer(arguments: tuple[Any, ...], pointer: str) -> None:
    with pytest.raises(Invalid, match="`seeds`") as refused:
        cases_of(*arguments)
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_number_of_seeds_means_the_first_seeds() -> None:
    assert seeds_of(3, 1) == [1, 2, 3]
    assert seeds_of([7, 0], 1) == [7, 0]
    assert len(seeds_of(MAX_EXPERIMENT_JOBS // 2, 2)) == MAX_EXPERIMENT_JOBS // 2


@pytest.mark.parametrize(
    ("seeds", "n_cases"), [(MAX_EXPERIMENT_JOBS + 1, 1), (10**15, 2), ([1, 2], MAX_EXPERIMENT_JOBS)]
)
def test_too_many_jobs_are_refused_with_the_limit(seeds: Any, n_cases: int) -> None:
    with pytest.raises(Invalid, match="experiment_jobs"):
        seeds_of(seeds, n_cases)


def test_repeated_seed_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        seeds_of([4, 5, 4], 1)
    assert refused.value.errors[0].pointer == "/seeds/2"


def test_at_pointer_nests_the_value() -> None:
    assert at_pointer("/a/b~1c/~0", 1) == {"a": {"b/c": {"~": 1}}}


def test_model_name_joins_names_and_refuses_long_ones() -> None:
    assert model_name("mine", "hinge") == "mine-hinge"
    with pytest.raises(Invalid, match="name"):
        model_name("m" * 40, "h" * 40)
