"""Queries on the points of curves.

The primary key is (job, curve, step): a curve is stored contiguously, and a part of it is read without a scan.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, delete, func, null, select
from sqlalchemy.orm import Session

from app.db.statements import upsert
from app.db.tables import Point

Values = Mapping[str, float | None]
"""the values of one step by the names of the curves; a value of None was not finite"""
Curve = list[tuple[int, float | None]]
"""(step, value), in order of the steps"""
FIGURE_CURVE_PREFIX = "figure/"
"""prefix of the names of the curves that the evaluations during a training write"""


def put(session: Session, job_id: str, reports: Iterable[tuple[int, Values]]) -> None:
    """Add the values of some steps in place of older ones; of two reports of one step the later counts."""
    values = {(step, name): value for step, report in reports for name, value in report.items()}
    rows = [{"job_id": job_id, "step": step, "name": name, "value": value} for (step, name), value in values.items()]
    upsert(session, Point, rows, ("job_id", "name", "step"))


def at(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    """Return the values at that step by the names of the curves."""
    there = (Point.job_id == job_id, Point.name.in_(names(session, job_id)), Point.step == step)
    return {row.name: row.value for row in session.execute(select(Point.name, Point.value).where(*there))}


def newest(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    """Return the values of the last report at `step` or before."""
    curve = (Point.job_id == job_id, Point.step <= step)
    last = (select(func.max(Point.step)).where(*curve, Point.name == name) for name in names(session, job_id))
    steps = [step for step in map(session.scalar, last) if step is not None]
    return at(session, job_id, max(steps)) if steps else {}


def last_step(session: Session, job_id: str, prefix: str, until: int) -> int | None:
    """Return the last step up to `until` at which a curve whose name begins with `prefix` has a point."""
    named = [name for name in names(session, job_id) if name.startswith(prefix)]
    there = (Point.job_id == job_id, Point.name.in_(named), Point.step <= until)
    return session.scalar(select(func.max(Point.step)).where(*there))


def delete_after(session: Session, job_id: str, step: int) -> None:
    """Delete the points after `step`."""
    session.execute(delete(Point).where(Point.job_id == job_id, Point.step > step))


def figures(values: Values) -> dict[str, float | None]:
    """Return the values of an evaluation by the names of their figures; without losses and gauges."""
    prefix = FIGURE_CURVE_PREFIX
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def names(session: Session, job_id: str) -> Sequence[str]:
    """Return the sorted names of the job's curves by one index look-up each, however long the curves are."""
    first = select(func.min(Point.name).label("name")).where(Point.job_id == job_id).cte("named", recursive=True)
    beyond = select(func.min(Point.name)).where(Point.job_id == job_id, Point.name > first.c.name)
    named = first.union_all(select(beyond.scalar_subquery()).where(first.c.name.is_not(None)))
    return [name for name in session.scalars(select(named.c.name)) if name is not None]


def curves(
    session: Session, job_id: str, wanted: Collection[str] | None, after_step: int, max_points: int
) -> dict[str, tuple[Curve, bool]]:
    """Return, of each curve with points after `after_step`, at most `max_points` points and whether it was thinned.

    A longer curve is thinned to its first and last point and, for each of equally long intervals of steps between them,
    the least value, the greatest value and the first that was not finite. A plot with as many columns as intervals
    shows exactly these points (M4, Jugel et al., VLDB 2014, without the ends of each interval). No spike and no
    collapse is lost, as it would be if every n-th point were taken, and equal curves are thinned equally. The thinning
    runs in the database, which returns at most `max_points` + 1 points of a curve.
    """
    curves_by_name = {}
    for name in names(session, job_id):
        if wanted is None or name in wanted:
            curve = _read(session, _of(job_id, name, after_step).limit(max_points + 1))
            thinned = len(curve) > max_points
            if curve:
                points = _thinned(session, job_id, name, curve[0], max_points) if thinned else curve
                curves_by_name[name] = points, thinned
    return curves_by_name


def _of(job_id: str, name: str, after_step: int) -> Select[int, float | None]:
    curve = (Point.job_id == job_id, Point.name == name, Point.step > after_step)
    return select(Point.step, Point.value).where(*curve).order_by(Point.step)


def _read(session: Session, query: Select[int, float | None]) -> Curve:
    return [(row.step, row.value) for row in session.execute(query)]


def _thinned(session: Session, job_id: str, name: str, first: tuple[int, float | None], max_points: int) -> Curve:
    ends = select(Point.step, Point.value).where(Point.job_id == job_id, Point.name == name)
    last = session.execute(ends.order_by(Point.step.desc()).limit(1)).one_or_none()
    if last is None:  # the job was deleted since its first points were read
        return []
    kept: dict[int, float | None] = {first[0]: first[1], last.step: last.value}
    for row in session.execute(_extremes(job_id, name, first[0] + 1, last.step, max(1, (max_points - 2) // 3))):
        extremes = {row.least_step: row.least, row.greatest_step: row.greatest, row.not_finite_step: None}
        kept.update((step, value) for step, value in extremes.items() if step is not None)
    return sorted(kept.items())


def _extremes(job_id: str, name: str, begin: int, end: int, intervals: int) -> Select[Any]:
    """Return the query for the extremes of each interval of the steps [begin, end).

    Its rows are the least and the greatest value of an interval with their first steps (`least`, `least_step`,
    `greatest`, `greatest_step`), and the first step whose value was not finite (`not_finite_step`). Interval n begins
    at begin + n * (end - begin) // intervals.
    """
    number = ((cast(Point.step, BigInteger) - (begin - 1)) * intervals - 1) // (end - begin)
    curve = (Point.job_id == job_id, Point.name == name, Point.step >= begin, Point.step < end)
    numbered = select(Point.step, Point.value, number.label("interval")).where(*curve).subquery()
    least = func.min(numbered.c.value).over(partition_by=numbered.c.interval).label("least")
    greatest = func.max(numbered.c.value).over(partition_by=numbered.c.interval).label("greatest")
    point = select(numbered, least, greatest).subquery()

    def first(condition: ColumnElement[bool]) -> ColumnElement[int | None]:
        return func.min(case((condition, point.c.step)))

    columns = {
        "least": func.min(point.c.least), "least_step": first(point.c.value == point.c.least),
        "greatest": func.min(point.c.greatest), "greatest_step": first(point.c.value == point.c.greatest),
        "not_finite_step": first(point.c.value.is_(null())),
    }  # fmt: skip
    return select(*(column.label(label) for label, column in columns.items())).group_by(point.c.interval)
