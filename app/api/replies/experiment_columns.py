"""Lay out the tables of an experiment and of a job's curves as columns of a file."""

from collections.abc import Mapping, Sequence

from app.core import tables
from app.core.tables import Table
from forger.schemas.experiment_tables import provenance_key
from forger.schemas.experiments import ExperimentDetail, FigureOut, MeasuredJob
from forger.schemas.figures import CellOut
from forger.schemas.jobs import Curve

CASE_COLUMNS: Mapping[str, tables.ColumnType] = {
    "case": str, "figure": str, "better": str, "mean": float, "deviation": float, "interval_low": float,
    "interval_high": float, "n": int, "best": bool, "provenance": str,
}  # fmt: skip


JOB_COLUMNS: Mapping[str, tables.ColumnType] = {
    "job": str, "case": str, "seed": int, "state": str, "step": int, "total": int, "model": str, "health": str,
    "trouble": str, "figure": str, "value": float, "measured_step": int, "source": str, "provenance": str,
}  # fmt: skip


def cases_table(experiment: ExperimentDetail) -> Table:
    """Return a table with a line for each case and figure."""
    rows = [
        _case_line(figure, cell)
        for case in experiment.cases
        for figure in experiment.figures
        for cell in figure.cases
        if cell.case == case
    ]
    return Table(CASE_COLUMNS, rows)


def jobs_table(jobs: Sequence[MeasuredJob]) -> Table:
    """Return a table with a line for each figure of each job, and one for each job without figures."""
    return Table(JOB_COLUMNS, [line for job in jobs for line in _job_lines(job)])


def curves_table(curves: Sequence[Curve]) -> Table:
    """Return a table with a line for each point; `value` is empty if it was not finite."""
    rows = [(curve.name, step, value, curve.thinned) for curve in curves for step, value in curve.points]
    return Table({"curve": str, "step": int, "value": float, "thinned": bool}, rows)


def _job_lines(job: MeasuredJob) -> list[tuple[object, ...]]:
    health, trouble = (job.health.state, job.health.kind) if job.health else (None, None)
    columns = (job.id, job.case, job.seed, str(job.state), job.step, job.total, job.model, health, trouble)
    figures: list[tuple[object, ...]] = [
        (one.name, one.value, one.step, one.source, provenance_key(one)) for one in job.figures
    ]
    return [columns + figure for figure in figures or [(None,) * 5]]


def _case_line(figure: FigureOut, cell: CellOut) -> tuple[object, ...]:
    low, high = cell.interval or (None, None)
    columns = (cell.mean, cell.deviation, low, high, cell.n, cell.best)
    return cell.case, figure.name, figure.better, *columns, provenance_key(figure)
