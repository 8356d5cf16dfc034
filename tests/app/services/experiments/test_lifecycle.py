"""Experiments: one request creates all of its jobs or none, and its table averages over their seeds."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from app.core.errors import Conflict, Invalid, NotFound
from app.core.settings import CHECKOUT
from app.db.repositories import jobs as rows
from app.services import idempotency
from app.services.experiments import lifecycle as experiments
from app.services.idempotency import Replay, once
from app.services.jobs import lifecycle
from forger.wire import JobState
from tests.support.experiments import NOTHING, RING, evaluate, make_experiment, succeed
from tests.support.jobs import put_in
from tests.support.row_counts import count_rows

HINGE = {"objective": {"kind": "hinge"}}
TWO_CASES: dict[str, Any] = {"cases": [{"name": "plain"}, {"name": "hinge", "overrides": HINGE}], **RING}
EXAMPLES = CHECKOUT / "examples" / "experiments"


# Tests that only plan write nothing, so one database is enough.
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def refusals(**request: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        experiments.plan(**(NOTHING | request))
    return {error.pointer: error.message for error in refused.value.errors}


@on_sqlite
def test_seven_objectives_with_five_seeds_plan_35_jobs(database: Path) -> None:
    request = NOTHING | json.loads((EXAMPLES / "objectives_on_ring8.json").read_text())
    plans = experiments.plan(**request)
    assert len(plans) == 35
    assert len({plan.spec.recipe.objective for plan in plans}) == 7
    assert len({plan.spec.recipe.model_copy(update={"seed": 0}) for plan in plans}) == 7
    assert {plan.seed for plan in plans} == {1, 2, 3, 4, 5}
    assert [plan.seed for plan in plans[:7]] == [1] * 7, "all cases with the first seed come first"


@on_sqlite
def test_every_example_experiment_is_valid_and_watched(database: Path) -> None:
    files = list(EXAMPLES.glob("*.json"))
    assert len(files) > 1
    for file in files:
        plans = experiments.plan(**(NOTHING | json.loads(file.read_text())))
        assert all(plan.spec.recipe.watch is not None for plan in plans), file.name


def test_each_job_stores_its_experiment_case_and_seed(database: Path) -> None:
    experiment = make_experiment(name="ring", seeds=[3, 1], **TWO_CASES)
    assert experiment.states == {JobState.QUEUED: 4}
    assert experiment.cases == ["plain", "hinge"]
    assert [(job.case, job.seed) for job in experiment.jobs] == [("plain", 3), ("hinge", 3), ("plain", 1), ("hinge", 1)]
    first, second, *_ = [lifecycle.get(job.id) for job in experiment.jobs]
    assert (first.experiment_id, first.case) == (experiment.id, {"name": "plain", "settings": {}})
    assert (first.family, first.dataset, first.recipe.seed, first.total) == ("gan", "ring8", 3, 60)
    assert (first.model_name, second.model_name) == ("ring-plain", "ring-hinge")
    assert second.recipe.objective is not None
    assert second.recipe.objective.kind == "hinge"
    assert experiment.request == {"name": "ring", "seeds": [3, 1], **TWO_CASES}


def test_job_of_a_grid_stores_its_values(database: Path) -> None:
    experiment = make_experiment(model="mine", grid={"/batch_size": [8, 16]}, **RING)
    view = lifecycle.get(experiment.jobs[1].id)
    assert view.case == {"name": "batch_size-16", "settings": {"/batch_size": 16}}
    assert (view.recipe.batch_size, view.model_name) == (16, "mine-batch_size-16")


@on_sqlite
def test_case_uses_its_own_budget(database: Path) -> None:
    cases = [{"name": "long", "overrides": {"budget": {"epochs": 2}}}, {"name": "common"}]
    long, common = experiments.plan(**(NOTHING | RING | {"cases": cases}))
    assert long.spec.recipe.budget.steps not in (60, common.spec.recipe.budget.steps)
    assert common.spec.recipe.budget.steps == 60
    grid_plans = experiments.plan(**(NOTHING | RING | {"grid": {"/budget/steps": [70, 80]}, "seeds": [3]}))
    assert [plan.spec.recipe.budget.steps for plan in grid_plans] == [70, 80]
    assert [plan.spec.recipe.seed for plan in grid_plans] == [3, 3]
    assert refusals(**RING, grid={"/budget/steps": [70, 0]}).keys() == {"/grid/~1budget~1steps/1"}


@pytest.mark.parametrize(("named", "model"), [({}, "gan-ring8"), ({"name": "alone"}, "alone")])
def test_jobs_of_a_single_recipe_publish_one_model(database: Path, named: dict[str, str], model: str) -> None:
    experiment = make_experiment(seeds=2, **named, **RING)
    assert {lifecycle.get(job.id).model_name for job in experiment.jobs} == {model}


@on_sqlite
def test_cases_share_a_watch_unless_they_set_their_own(database: Path) -> None:
    request: dict[str, Any] = {
        "dataset": "digits",
        "budget": {"steps": 3000},
        "cases": [{"recipe": "dcgan"}, {"recipe": "lsgan"}],
    }
    plans = experiments.plan(**(NOTHING | request))
    watches = [plan.spec.recipe.watch for plan in plans]
    assert all(watch is not None for watch in watches)
    assert len({watch.samples for watch in watches if watch is not None}) == 1
    request["cases"][0]["overrides"] = {"watch": {"samples": 333}}
    watch = experiments.plan(**(NOTHING | request))[0].spec.recipe.watch
    assert watch is not None
    assert watch.samples == 333


@on_sqlite
def test_notes_name_cases_that_will_not_be_measured(database: Path) -> None:
    def notes(**request: Any) -> list[str]:
        return experiments.notes(experiments.plan(**(NOTHING | request)))

    assert notes(dataset="ring8", budget={"steps": 3000}, recipe="gan") == []
    cases = [{"recipe": "gan"}, {"recipe": "wgan_gp", "overrides": {"watch": None}}]
    (note,) = notes(dataset="ring8", budget={"steps": 3000}, cases=cases)
    assert note.startswith("wgan_gp: Nothing will be measured")
    (note,) = notes(dataset="ring8", budget={"steps": 30}, recipe="gan", seeds=3)
    assert note.startswith("It is evaluated only at its end, after 30 steps")


def test_one_refused_case_refuses_the_experiment(database: Path) -> None:
    cases = [{"name": "good"}, {"name": "a", "overrides": {"objective": {"kind": "wasserstein"}}},
           {"name": "b", "overrides": {"batch_size": 0}}]  # fmt: skip
    refused = refusals(**RING, cases=cases)
    assert refused.keys() == {"/cases/1/overrides/objective", "/cases/2/overrides/batch_size"}
    assert refused["/cases/1/overrides/objective"].startswith("a: The Wasserstein objective")
    assert (count_rows("jobs"), count_rows("experiments")) == (0, 0)


@on_sqlite
@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"dataset": "nope"}, "/dataset"),
        ({"recipe": "nope"}, "/recipe"),
        ({"budget": {"steps": 0}}, "/budget/steps"),
        ({"overrides": {"batch_size": 0}}, "/overrides/batch_size"),
        ({"grid": {"/batch_size": [8, -1]}}, "/grid/~1batch_size/1"),
        ({"grid": {"/objective": [{"kind": "wasserstein"}]}}, "/grid/~1objective/0"),
        ({"grid": {"/nope/x": [1]}}, "/overrides/nope"),
        ({"cases": [{"recipe": "nope"}]}, "/cases/0/recipe"),
        ({"cases": [{"name": "n" * 63}], "name": "m" * 63}, "/name"),
    ],
)
def test_refusal_points_into_the_request(database: Path, changes: dict[str, Any], pointer: str) -> None:
    assert pointer in refusals(**(RING | changes))


@on_sqlite
def test_shared_value_is_refused_once_at_its_pointer(database: Path) -> None:
    assert refusals(**(TWO_CASES | {"dataset": "nope"})).keys() == {"/dataset"}
    shared = refusals(**TWO_CASES, overrides={"generator_optimizer": {"rate": -1}})
    assert shared.keys() == {"/overrides/generator_optimizer/rate"}
    assert "plain" not in shared["/overrides/generator_optimizer/rate"]
    cases = [{"name": "own", "overrides": {"generator_optimizer": {"rate": -1}}}, {"name": "other"}]
    pointers = refusals(**RING, cases=cases, overrides={"generator_optimizer": {"rate": 0.1}})
    assert pointers.keys() == {"/cases/0/overrides/generator_optimizer/rate"}
    assert pointers["/cases/0/overrides/generator_optimizer/rate"].startswith("own: ")


def test_jobs_are_created_all_or_none(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add, added = rows.add, []

    def fail_at_the_third(*arguments: Any, **values: Any) -> None:
        added.append(values)
        if len(added) == 3:
            raise Conflict("no more")
        add(*arguments, **values)

    monkeypatch.setattr(rows, "add", fail_at_the_third)
    with pytest.raises(Conflict):
        make_experiment(seeds=2, **TWO_CASES)
    assert [count_rows(table) for table in ("jobs", "events", "experiments")] == [0, 0, 0]


def test_same_idempotency_key_returns_the_same_experiment(database: Path) -> None:
    def create_or_replay() -> str:
        with once("k", "a") as turn:
            if isinstance(turn, Replay):
                return turn.id
            return experiments.create(None, {}, experiments.plan(**(NOTHING | TWO_CASES)), turn).id

    assert create_or_replay() == create_or_replay()
    assert (count_rows("experiments"), count_rows("jobs")) == (1, 2)
    idempotency.delete_expired()
    assert count_rows("idempotency_keys") == 1
    experiments.cancel(create_or_replay())
    experiments.delete(create_or_replay())
    assert count_rows("idempotency_keys") == 0, "the key is deleted with its experiment"


def test_table_averages_over_the_seeds_that_succeeded(database: Path) -> None:
    experiment = make_experiment(seeds=2, **TWO_CASES)
    plain1, hinge1, plain2, hinge2 = [job.id for job in experiment.jobs]
    succeed(plain1, {"transport": 0.2, "modes": 8})
    succeed(plain2, {"transport": 0.4, "modes": 7})
    succeed(hinge1, {"transport": 0.1, "modes": None})
    updated = experiments.get(experiment.id)
    assert updated.states == {JobState.SUCCEEDED: 3, JobState.QUEUED: 1}
    table = {figure.name: figure for figure in updated.figures}
    assert [(cell.case, cell.mean, cell.n, cell.best) for cell in table["transport"].cases] == [
        ("plain", fmean([0.2, 0.4]), 2, False),
        ("hinge", 0.1, 1, True),
    ]
    assert [cell.mean for cell in table["modes"].cases] == [7.5, None]
    put_in(JobState.FAILED, hinge2)
    assert experiments.get(experiment.id).figures == updated.figures


def test_evaluations_have_their_own_columns(database: Path) -> None:
    experiment = make_experiment(**TWO_CASES)
    for number, job in enumerate(experiment.jobs):
        succeed(job.id, {"transport": 0.5})
        evaluate(job.id, {"transport": 0.5 - 0.1 * number}, step=20)
    watched, evaluated = experiments.get(experiment.id).figures
    assert (watched.provenance["by"], evaluated.provenance["by"]) == ("watch", "evaluation")
    assert "step" not in evaluated.provenance
    assert [cell.best for cell in evaluated.cases] == [False, True]


def test_evaluation_of_an_unpublished_step_enters_no_mean(database: Path) -> None:
    experiment = make_experiment(**TWO_CASES)
    plain, hinge = [job.id for job in experiment.jobs]
    succeed(plain, {}, step=60)
    succeed(hinge, {}, step=60)
    evaluate(plain, {"transport": 0.5}, step=60)
    evaluate(hinge, {"transport": 0.1}, step=50)
    (figure,) = experiments.get(experiment.id).figures
    assert [(cell.case, cell.mean, cell.n) for cell in figure.cases] == [("plain", 0.5, 1)]


def test_cancel_stops_only_unfinished_jobs(database: Path) -> None:
    experiment = make_experiment(seeds=2, **TWO_CASES)
    succeed(experiment.jobs[0].id, {})
    put_in(JobState.RUNNING, experiment.jobs[1].id)
    with pytest.raises(Conflict, match="3 jobs"):
        experiments.delete(experiment.id)
    states = experiments.cancel(experiment.id).states
    assert states == {JobState.SUCCEEDED: 1, JobState.CANCELLING: 1, JobState.CANCELLED: 2}
    assert experiments.cancel(experiment.id).states == states


def test_deleted_experiment_keeps_its_jobs(database: Path) -> None:
    experiment = make_experiment(**TWO_CASES)
    experiments.cancel(experiment.id)
    experiments.delete(experiment.id)
    with pytest.raises(NotFound):
        experiments.get(experiment.id)
    assert [lifecycle.get(job.id).experiment_id for job in experiment.jobs] == [None, None]


def test_deleted_job_disappears_from_the_table(database: Path) -> None:
    experiment = make_experiment(**TWO_CASES)
    for job in experiment.jobs:
        succeed(job.id, {"transport": 0.5})
    lifecycle.delete(experiment.jobs[0].id)
    updated = experiments.get(experiment.id)
    assert [job.id for job in updated.jobs] == [experiment.jobs[1].id]
    assert [len(figure.cases) for figure in updated.figures] == [1]


def test_experiment_pages_are_newest_first_without_gaps(database: Path) -> None:
    created = [make_experiment(name=f"n{number}", **TWO_CASES).id for number in range(3)]
    first, cursor = experiments.page(2, None)
    rest, end = experiments.page(2, cursor)
    assert [listed.id for listed in (*first, *rest)] == created[::-1]
    assert end is None
    assert (first[0].states, first[0].cases) == ({JobState.QUEUED: 2}, ["plain", "hinge"])


def test_unknown_experiment_is_not_found(database: Path) -> None:
    calls: tuple[Callable[[str], object], ...] = (experiments.get, experiments.cancel, experiments.delete)
    for id_, call in product(("exp_x", "job_x", "", "exp_" + "0" * 32, "\x00"), calls):
        with pytest.raises(NotFound, match="There is no experiment"):
            call(id_)
