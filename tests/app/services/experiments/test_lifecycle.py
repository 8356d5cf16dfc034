"""One request becomes many jobs, all or none, and a table over their seeds."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from sqlalchemy import text

from app.core.errors import Conflict, Invalid, NotFound
from app.core.settings import CHECKOUT
from app.db.repositories import jobs as rows
from app.db.session import unit_of_work
from app.services import idempotency
from app.services.experiments import lifecycle as experiments
from app.services.idempotency import Replay, once
from app.services.jobs import lifecycle
from forger.wire import JobState
from tests.support.experiments import NOTHING, RING, evaluate, make_experiment, succeed
from tests.support.jobs import put_in

HINGE = {"objective": {"kind": "hinge"}}
TWO: dict[str, Any] = {"cases": [{"name": "plain"}, {"name": "hinge", "overrides": HINGE}], **RING}
EXAMPLES = CHECKOUT / "examples" / "experiments"


# Nothing is written by those that only plan.
on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


def count(table: str) -> int:
    with unit_of_work(read_only=True) as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def refusals(**asked: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        experiments.plan(**(NOTHING | asked))
    return {error.pointer: error.message for error in refused.value.errors}


@on_sqlite
def test_seven_objectives_and_five_seeds_are_one_request(database: Path) -> None:
    asked = NOTHING | json.loads((EXAMPLES / "objectives_on_ring8.json").read_text())
    planned = experiments.plan(**asked)
    assert len(planned) == 35
    assert len({one.spec.recipe.objective for one in planned}) == 7
    assert len({one.spec.recipe.model_copy(update={"seed": 0}) for one in planned}) == 7
    assert {one.seed for one in planned} == {1, 2, 3, 4, 5}
    assert [one.seed for one in planned[:7]] == [1] * 7, "every case has its first seed before any has its second"


@on_sqlite
def test_every_example_can_be_trained_and_is_measured(database: Path) -> None:
    files = list(EXAMPLES.glob("*.json"))
    assert len(files) > 1
    for file in files:
        planned = experiments.plan(**(NOTHING | json.loads(file.read_text())))
        assert all(one.spec.recipe.watch is not None for one in planned), file.name


def test_every_job_knows_its_experiment_its_case_and_its_seed(database: Path) -> None:
    made = make_experiment(name="ring", seeds=[3, 1], **TWO)
    assert made.states == {JobState.QUEUED: 4}
    assert made.cases == ["plain", "hinge"]
    assert [(job.case, job.seed) for job in made.jobs] == [("plain", 3), ("hinge", 3), ("plain", 1), ("hinge", 1)]
    first, second, *_ = [lifecycle.get(job.id) for job in made.jobs]
    assert (first.experiment_id, first.case) == (made.id, {"name": "plain", "settings": {}})
    assert (first.family, first.dataset, first.recipe.seed, first.total) == ("gan", "ring8", 3, 60)
    assert (first.model_name, second.model_name) == ("ring-plain", "ring-hinge")
    assert second.recipe.objective is not None
    assert second.recipe.objective.kind == "hinge"
    assert made.request == {"name": "ring", "seeds": [3, 1], **TWO}


def test_a_grid_tells_its_values(database: Path) -> None:
    made = make_experiment(model="mine", grid={"/batch_size": [8, 16]}, **RING)
    view = lifecycle.get(made.jobs[1].id)
    assert view.case == {"name": "batch_size-16", "settings": {"/batch_size": 16}}
    assert (view.recipe.batch_size, view.model_name) == (16, "mine-batch_size-16")


@on_sqlite
def test_a_case_has_the_budget_that_it_names(database: Path) -> None:
    two = [{"name": "long", "overrides": {"budget": {"epochs": 2}}}, {"name": "common"}]
    long, common = experiments.plan(**(NOTHING | RING | {"cases": two}))
    assert long.spec.recipe.budget.steps not in (60, common.spec.recipe.budget.steps)
    assert common.spec.recipe.budget.steps == 60
    crossed = experiments.plan(**(NOTHING | RING | {"grid": {"/budget/steps": [70, 80]}, "seeds": [3]}))
    assert [one.spec.recipe.budget.steps for one in crossed] == [70, 80]
    assert [one.spec.recipe.seed for one in crossed] == [3, 3]
    assert refusals(**RING, grid={"/budget/steps": [70, 0]}).keys() == {"/grid/~1budget~1steps/1"}


@pytest.mark.parametrize(("named", "model"), [({}, "gan-ring8"), ({"name": "alone"}, "alone")])
def test_a_recipe_alone_publishes_versions_of_one_model(database: Path, named: dict[str, str], model: str) -> None:
    made = make_experiment(seeds=2, **named, **RING)
    assert {lifecycle.get(job.id).model_name for job in made.jobs} == {model}


@on_sqlite
def test_cases_are_watched_alike_unless_they_say_how(database: Path) -> None:
    ask: dict[str, Any] = {
        "dataset": "digits",
        "budget": {"steps": 3000},
        "cases": [{"recipe": "dcgan"}, {"recipe": "lsgan"}],
    }
    planned = experiments.plan(**(NOTHING | ask))
    watches = [one.spec.recipe.watch for one in planned]
    assert all(watch is not None for watch in watches)
    assert len({watch.samples for watch in watches if watch is not None}) == 1
    ask["cases"][0]["overrides"] = {"watch": {"samples": 333}}
    own = experiments.plan(**(NOTHING | ask))[0].spec.recipe.watch
    assert own is not None
    assert own.samples == 333


@on_sqlite
def test_what_will_not_be_measured_is_told_beforehand_with_the_cases_it_is_about(database: Path) -> None:
    def notes(**ask: Any) -> list[str]:
        return experiments.notes(experiments.plan(**(NOTHING | ask)))

    assert notes(dataset="ring8", budget={"steps": 3000}, recipe="gan") == []
    cases = [{"recipe": "gan"}, {"recipe": "wgan_gp", "overrides": {"watch": None}}]
    (note,) = notes(dataset="ring8", budget={"steps": 3000}, cases=cases)
    assert note.startswith("wgan_gp: Nothing will be measured")
    (note,) = notes(dataset="ring8", budget={"steps": 30}, recipe="gan", seeds=3)
    assert note.startswith("It is evaluated only at its end, after 30 steps")


def test_one_refusal_refuses_all_and_points_into_its_case(database: Path) -> None:
    bad = [{"name": "good"}, {"name": "a", "overrides": {"objective": {"kind": "wasserstein"}}},
           {"name": "b", "overrides": {"batch_size": 0}}]  # fmt: skip
    found = refusals(**RING, cases=bad)
    assert found.keys() == {"/cases/1/overrides/objective", "/cases/2/overrides/batch_size"}
    assert found["/cases/1/overrides/objective"].startswith("a: The Wasserstein objective")
    assert (count("jobs"), count("experiments")) == (0, 0)


@on_sqlite
@pytest.mark.parametrize(
    ("asked", "pointer"),
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
def test_a_refusal_points_where_the_client_wrote(database: Path, asked: dict[str, Any], pointer: str) -> None:
    assert pointer in refusals(**(RING | asked))


@on_sqlite
def test_what_all_cases_share_is_refused_once_and_there(database: Path) -> None:
    assert refusals(**(TWO | {"dataset": "nope"})).keys() == {"/dataset"}
    shared = refusals(**TWO, overrides={"generator_optimizer": {"rate": -1}})
    assert shared.keys() == {"/overrides/generator_optimizer/rate"}
    assert "plain" not in shared["/overrides/generator_optimizer/rate"]
    deeper = [{"name": "own", "overrides": {"generator_optimizer": {"rate": -1}}}, {"name": "other"}]
    own = refusals(**RING, cases=deeper, overrides={"generator_optimizer": {"rate": 0.1}})
    assert own.keys() == {"/cases/0/overrides/generator_optimizer/rate"}
    assert own["/cases/0/overrides/generator_optimizer/rate"].startswith("own: ")


def test_jobs_are_made_all_or_none(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, made = rows.add, []

    def fail_at_the_third(*asked: Any, **values: Any) -> None:
        made.append(values)
        if len(made) == 3:
            raise Conflict("no more")
        whole(*asked, **values)

    monkeypatch.setattr(rows, "add", fail_at_the_third)
    with pytest.raises(Conflict):
        make_experiment(seeds=2, **TWO)
    assert [count(table) for table in ("jobs", "events", "experiments")] == [0, 0, 0]


def test_a_key_answers_the_experiment_it_made(database: Path) -> None:
    def keep() -> str:
        with once("k", "a") as turn:
            if isinstance(turn, Replay):
                return turn.id
            return experiments.create(None, {}, experiments.plan(**(NOTHING | TWO)), turn).id

    assert keep() == keep()
    assert (count("experiments"), count("jobs")) == (1, 2)
    idempotency.delete_expired()
    assert count("idempotency_keys") == 1
    experiments.cancel(keep())
    experiments.delete(keep())
    assert count("idempotency_keys") == 0, "it goes with what it answered"


def test_the_table_is_over_the_seeds_that_succeeded(database: Path) -> None:
    made = make_experiment(seeds=2, **TWO)
    plain1, hinge1, plain2, hinge2 = [job.id for job in made.jobs]
    succeed(plain1, {"transport": 0.2, "modes": 8})
    succeed(plain2, {"transport": 0.4, "modes": 7})
    succeed(hinge1, {"transport": 0.1, "modes": None})
    seen = experiments.get(made.id)
    assert seen.states == {JobState.SUCCEEDED: 3, JobState.QUEUED: 1}
    table = {figure.name: figure for figure in seen.figures}
    assert [(cell.case, cell.mean, cell.n, cell.best) for cell in table["transport"].cases] == [
        ("plain", fmean([0.2, 0.4]), 2, False),
        ("hinge", 0.1, 1, True),
    ]
    assert [cell.mean for cell in table["modes"].cases] == [7.5, None]
    put_in(JobState.FAILED, hinge2)
    assert experiments.get(made.id).figures == seen.figures


def test_evaluations_have_columns_of_their_own(database: Path) -> None:
    made = make_experiment(**TWO)
    for number, job in enumerate(made.jobs):
        succeed(job.id, {"transport": 0.5})
        evaluate(job.id, {"transport": 0.5 - 0.1 * number}, step=20)
    watched, evaluated = experiments.get(made.id).figures
    assert (watched.provenance["by"], evaluated.provenance["by"]) == ("watch", "evaluation")
    assert "step" not in evaluated.provenance
    assert [cell.best for cell in evaluated.cases] == [False, True]


def test_an_evaluation_of_what_was_not_published_enters_no_mean(database: Path) -> None:
    made = make_experiment(**TWO)
    plain, hinge = [job.id for job in made.jobs]
    succeed(plain, {}, step=60)
    succeed(hinge, {}, step=60)
    evaluate(plain, {"transport": 0.5}, step=60)
    evaluate(hinge, {"transport": 0.1}, step=50)
    (figure,) = experiments.get(made.id).figures
    assert [(cell.case, cell.mean, cell.n) for cell in figure.cases] == [("plain", 0.5, 1)]


def test_cancelling_ends_what_has_not_ended(database: Path) -> None:
    made = make_experiment(seeds=2, **TWO)
    succeed(made.jobs[0].id, {})
    put_in(JobState.RUNNING, made.jobs[1].id)
    with pytest.raises(Conflict, match="3 jobs"):
        experiments.delete(made.id)
    states = experiments.cancel(made.id).states
    assert states == {JobState.SUCCEEDED: 1, JobState.CANCELLING: 1, JobState.CANCELLED: 2}
    assert experiments.cancel(made.id).states == states


def test_a_deleted_experiment_leaves_its_jobs(database: Path) -> None:
    made = make_experiment(**TWO)
    experiments.cancel(made.id)
    experiments.delete(made.id)
    with pytest.raises(NotFound):
        experiments.get(made.id)
    assert [lifecycle.get(job.id).experiment_id for job in made.jobs] == [None, None]


def test_a_deleted_job_leaves_the_table(database: Path) -> None:
    made = make_experiment(**TWO)
    for job in made.jobs:
        succeed(job.id, {"transport": 0.5})
    lifecycle.delete(made.jobs[0].id)
    seen = experiments.get(made.id)
    assert [job.id for job in seen.jobs] == [made.jobs[1].id]
    assert [len(figure.cases) for figure in seen.figures] == [1]


def test_lists_are_newest_first_and_page_without_gaps(database: Path) -> None:
    made = [make_experiment(name=f"n{number}", **TWO).id for number in range(3)]
    first, cursor = experiments.page(2, None)
    rest, end = experiments.page(2, cursor)
    assert [one.id for one in (*first, *rest)] == made[::-1]
    assert end is None
    assert (first[0].states, first[0].cases) == ({JobState.QUEUED: 2}, ["plain", "hinge"])


def test_an_unknown_experiment_is_not_found(database: Path) -> None:
    calls: tuple[Callable[[str], object], ...] = (experiments.get, experiments.cancel, experiments.delete)
    for id_, call in product(("exp_x", "job_x", "", "exp_" + "0" * 32, "\x00"), calls):
        with pytest.raises(NotFound, match="There is no experiment"):
            call(id_)
