"""What the client's objects show in a notebook and as text: tables, links into the studio, plots; all text escaped."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from forger import Comparison, Experiment, Forger, ForgerProblem, Job
from forger.plot import plot, ticks
from tests.support.service import Service

NAME = "<i>&"
"""a name that changes a page which does not escape it"""


def escaped(html: str) -> bool:
    """Return whether the page names NAME and never as markup."""
    return NAME not in html and "&lt;i&gt;&amp;" in html


@pytest.fixture(scope="module")
def compared(forger: Forger, trained: Job) -> Comparison:
    objective = {"objective": {"kind": "hinge"}}
    other = forger.train("cdcgan", dataset="digits", seed=1, budget={"steps": 6}, overrides=objective).wait()
    return forger.compare(trained.id, other.id)


@pytest.fixture(scope="module")
def experiment(forger: Forger) -> Experiment:
    cases = [{"name": "few", "overrides": {"batch_size": 32}}, {"name": "many", "overrides": {"batch_size": 64}}]
    request = {"name": "sizes", "recipe": "gan", "dataset": "ring8", "budget": {"steps": 4}, "cases": cases, "seeds": 2}
    return forger.start_experiment(request).wait()


def test_card_of_a_version_shows_step_figures_and_health(forger: Forger, trained: Job) -> None:
    version = forger.version("cdcgan-digits@1")
    html = version._repr_html_()
    for name, value in {"model": "cdcgan-digits@1", "dataset": "digits", "step": "6 of 6"}.items():
        assert f"<tr><th>{name}</th><td>{value}</td></tr>" in html
    for name, figure in trained.figures.items():
        assert f"<th>{name}</th><td>{figure:.4g}</td>" in html
    assert version.health is not None
    assert version.health.message[:20] in html
    assert repr(version) == str(version) == "<Version cdcgan-digits@1: synthesis on digits, step 6, undertrained>"


def test_version_is_read_by_its_number_or_as_the_newest_of_its_name(forger: Forger, trained: Job) -> None:
    newest, *_ = forger.model("cdcgan-digits").versions
    assert forger.version("cdcgan-digits") == newest
    one = forger.model(str(trained.model))
    assert (one.name, one.versions) == ("cdcgan-digits", [forger.version(str(trained.model))])
    assert one.studio == forger.model("cdcgan-digits").studio
    for reference in ("@1", "cdcgan-digits@", "cdcgan-digits@x", "nope"):
        with pytest.raises(ForgerProblem):
            forger.version(reference)


def test_models_and_datasets_are_short_lines_and_tables(forger: Forger, trained: Job) -> None:
    (model,) = [model for model in forger.models() if model.name == "cdcgan-digits"]
    assert repr(model).startswith("<Model cdcgan-digits: versions ")
    assert model.latest.model in model._repr_html_()
    versions = forger.model("cdcgan-digits")
    assert versions._repr_html_().count("<table>") == len(versions.versions)
    assert "cdcgan-digits@1" in repr(versions)
    assert repr(forger.dataset("digits")) == "<Dataset digits: 1797 images, 10 classes>"
    (digits,) = [dataset for dataset in forger.datasets() if dataset.name == "digits"]
    assert "1797 images, 16 x 16 px" in digits._repr_html_()


def test_comparison_shows_differences_and_marks_the_best_figure(compared: Comparison) -> None:
    html = compared._repr_html_()
    assert "<td>/objective</td>" in html
    assert "hinge" in html
    (frechet,) = [ranking for ranking in compared.figures if ranking.name == "frechet"]
    best, worse = [ranked.value for ranked in frechet.jobs]
    assert best is not None
    assert worse is not None
    assert f"<td><b>{best:.4g}</b></td>" in html
    assert f"<td>{worse:.4g}</td>" in html
    assert "points" not in repr(compared), "curves are too long for a line"


def test_comparison_without_a_difference_says_so(forger: Forger, trained: Job) -> None:
    same = forger.train(trained.reply.recipe, model="same").cancel()
    html = forger.compare(trained.id, same.id)._repr_html_()
    assert "The recipes are equal." in html


def test_experiment_shows_its_table_and_marks_the_best_mean(experiment: Experiment) -> None:
    html = experiment._repr_html_()
    assert "<b>sizes: 4 succeeded</b>" in html
    assert "95 % confidence interval" in html
    (divergence,) = [figure for figure in experiment.reply.figures if figure.name == "divergence"]
    for cell in divergence.cases:
        assert f"{cell.mean:.4g} ± " in html
    assert html.count("<td><b>") >= 1


def test_every_text_of_an_experiment_and_a_comparison_is_escaped(
    experiment: Experiment, compared: Comparison, forger: Forger
) -> None:
    """No service accepts such names; another program that answers at the address may send them."""
    renamed = forger.experiment(experiment.id)
    renamed.reply = renamed.reply.model_copy(update={"name": NAME, "cases": [NAME]})
    html = renamed._repr_html_()
    assert escaped(html)
    assert html.count("&lt;i&gt;&amp;") == 2
    job = compared.jobs[0].model_copy(update={"dataset": NAME, "model": NAME, "family": NAME})
    difference = compared.differences[0].model_copy(update={"path": NAME, "values": [NAME, {"kind": NAME}]})
    strange = compared.model_copy(update={"jobs": [job, compared.jobs[1]], "differences": [difference]})
    assert escaped(strange._repr_html_())


def test_names_of_an_upload_are_escaped(forger: Forger, tmp_path: Path) -> None:
    for name in (NAME, "plain"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            Image.effect_noise((16, 16), 40 + number).save(tmp_path / "pictures" / name / f"{number}.png")
    dataset = forger.upload(tmp_path / "pictures", "odd-names", layout="classes")
    assert dataset.report is not None
    html = dataset._repr_html_()
    assert escaped(html)
    forger.delete_dataset("odd-names")


def test_every_text_of_a_job_is_escaped(trained: Job, forger: Forger) -> None:
    """No service accepts such a name of a dataset; another program that answers at the address may send one."""
    job = forger.job(trained.id)
    job.reply = job.reply.model_copy(update={"family": NAME, "dataset": NAME, "id": NAME})
    job.refresh = lambda: job  # type: ignore[method-assign]
    assert escaped(job._repr_html_())
    assert escaped(job.plot().svg)


def test_deleted_job_still_shows_what_is_known(forger: Forger) -> None:
    job = forger.train("gan", dataset="ring8", budget={"steps": 1}).cancel()
    job.wait().delete()
    assert f"<td>{job.id}</td>" in job._repr_html_()


def test_addresses_lead_to_pages_of_the_studio(
    forger: Forger, service: Service, trained: Job, experiment: Experiment, compared: Comparison
) -> None:
    version, dataset = forger.version(str(trained.model)), forger.dataset("digits")
    assert trained.studio == f"{service.url}/studio/jobs/{trained.id}"
    assert version.studio == f"{service.url}/studio/models/cdcgan-digits"
    for address in (forger.studio, trained.studio, version.studio, dataset.studio):
        page = service.client.get(address, follow_redirects=True)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert experiment.studio == f"{service.url}/studio/experiments/{experiment.id}"
    assert compared.studio == f"{service.url}/studio/compare?jobs={','.join(job.id for job in compared.jobs)}"
    shown: list[Callable[[], str]] = [trained._repr_html_, version._repr_html_, dataset._repr_html_]
    shown += [experiment._repr_html_, compared._repr_html_]
    addresses = [re.findall(r'href="([^"]+)"', html()) for html in shown]
    assert addresses == [[one.studio] for one in (trained, version, dataset, experiment, compared)]


def test_plot_of_a_job_has_a_panel_for_losses_and_figures(trained: Job, tmp_path: Path) -> None:
    plotted = trained.plot()
    drawing = ElementTree.fromstring(plotted.save(tmp_path / "curves.svg").read_bytes())
    texts = {"".join(element.itertext()) for element in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"losses of the critic", "losses of the generator", "frechet", "recall", "best"} <= texts
    assert plotted._repr_svg_() == plotted.svg
    one = trained.plot("figure/frechet").svg
    assert "frechet" in one
    assert "losses" not in one


def test_plot_is_saved_as_svg_only(trained: Job, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.svg"):
        trained.plot().save(tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []


def test_values_that_are_not_finite_interrupt_a_curve() -> None:
    svg = plot("a job", {"critic/hinge": [(1, 0.5), (2, 0.4), (3, None), (4, 0.2), (5, 0.1), (6, None), (7, 0.3)]}).svg
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == 1


@pytest.mark.parametrize(
    "curves", [{}, {"critic/hinge": []}, {"figure/recall": [(0, 0.0)]}, {"figure/recall": [(3, None)]}]
)
def test_plot_of_few_or_no_points_is_whole(curves: dict[str, list[tuple[int, float | None]]]) -> None:
    svg = plot("a job", curves).svg
    ElementTree.fromstring(svg)
    assert ("No curve has a point yet." in svg) == (not any(curves.values()))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1200, [0, 200, 400, 600, 800, 1000, 1200]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (-3, 5, [-2, 0, 2, 4])],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
