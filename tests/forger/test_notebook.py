"""The client in a notebook, run by a real kernel against a real service."""

import os
import re
from pathlib import Path

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from forger import Forger, Job
from tests.support.cli_page import with_few_json_steps
from tests.support.notebooks import Runner, code_cells, of_cells, read, shown
from tests.support.service import CHECKOUT, Service

QUICKSTART = CHECKOUT / "examples" / "quickstart.ipynb"


@pytest.fixture
def folder(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder, for kernels that find the service by FORGER_HOME and keep their files there."""
    for name in [name for name in os.environ if name.startswith("FORGER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FORGER_HOME", str(service.home))
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def test_committed_notebook_has_no_outputs() -> None:
    cells = code_cells(read(QUICKSTART))
    assert len(cells) > 8
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count is not None] == []


@pytest.fixture
def quickstart(folder: Path, service: Service) -> dict[str, NotebookNode]:
    """The committed notebook's cells after they have run with a few steps, by their last lines."""
    notebook = read(QUICKSTART)
    for cell in code_cells(notebook):
        cell.source = with_few_json_steps(cell.source)
    Runner(notebook, folder).execute()
    return {cell.source.splitlines()[-1]: cell for cell in code_cells(notebook)}


def test_quickstart_runs_from_training_to_the_studio(quickstart: dict[str, NotebookNode], service: Service) -> None:
    for watched in ("job.follow()", "other.follow()"):
        html = shown(quickstart[watched], "text/html")
        assert "succeeded, 4 of 4" in html
        assert 'src="data:image/png;base64,' in html
    assert "losses of the generator" in shown(quickstart["job.plot()"], "image/svg+xml")
    sampled = next(cell for source, cell in quickstart.items() if source.startswith("forger.sample(class_=7"))
    assert shown(sampled, "image/png")
    assert "hinge" in shown(quickstart["forger.compare(job.id, other.id)"], "text/html")
    assert shown(quickstart["forger.compare_picture(job.id, other.id)"], "image/png")
    assert "cdcgan-digits@1" in shown(quickstart["forger.version(job.model)"], "text/html")
    (printed,) = quickstart["print(job.studio)"].outputs
    address = printed.text.strip()
    assert address.startswith(f"{service.url}/studio/jobs/job_")
    assert service.client.get(address).status_code == 200


def test_followed_job_is_one_display_that_is_updated_until_it_ends(folder: Path) -> None:
    notebook = of_cells(
        "from forger import Forger\njob = Forger().train('gan', dataset='ring8', budget={'steps': 200}, model='shown')",
        "job.follow()",
    )
    runner = Runner(notebook, folder)
    runner.execute()
    displays = [kind for cell, kind in runner.messages if cell == 1 and "display" in kind]
    assert displays[0] == "display_data"
    assert set(displays[1:]) == {"update_display_data"}
    html = shown(notebook.cells[1], "text/html")
    assert '<progress max="200" value="200"' in html
    assert re.search("<code>[▁▂▃▄▅▆▇█]{20,}</code>", html)
    plain = shown(notebook.cells[1], "text/plain").splitlines()
    assert plain[0] == "gan on ring8, succeeded, 200 of 200"
    assert [line.split()[0] for line in plain[1:4]] == ["critic", "generator", "divergence"]


def test_interrupted_cell_leaves_the_job_running(folder: Path, service: Service) -> None:
    notebook = of_cells(
        "from forger import Forger\njob = Forger().train('cdcgan', dataset='digits', budget={'steps': 100_000})",
        "job.follow()",
    )
    runner = Runner(notebook, folder, interrupt=1)
    with pytest.raises(CellExecutionError, match="KeyboardInterrupt"):
        runner.execute()
    html = notebook.cells[1].outputs[0].data["text/html"]
    assert "The job goes on" in html
    with Forger(service.url) as client:
        (job,) = client.jobs(state="running")
        assert job.cancel().wait().state == "cancelled"


def test_loop_over_events_shows_no_display_of_its_own(folder: Path, trained: Job) -> None:
    loop = f"from forger import Forger\nfor event in Forger().job('{trained.id}').follow():\n    print(event.seq)"
    notebook = of_cells(loop)
    Runner(notebook, folder).execute()
    (printed,) = notebook.cells[0].outputs
    assert [int(line) for line in printed.text.split()] == [event.seq for event in trained.events()]
