"""Points of curves, ordered by job, curve and step: a curve lies together, and its parts are found without a search."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, delete, func, null, select
from sqlalchemy.orm import Session

from app.db.statements import upsert
from app.db.tables import Point

Values = Mapping[str, float | None]
"""Of one step, by the names of the curves. None was not finite."""
Curve = list[tuple[int, float | None]]
"""(step, value), in order."""


def put(session: Session, job_id: str, reports: Iterable[tuple[int, Values]]) -> None:
    """The values of some steps. What is there already is replaced, by what comes last."""
    values = {(step, name): value for step, told in reports for name, value in told.items()}
    rows = [{"job_id": job_id, "step": step, "name": name, "value": value} for (step, name), value in values.items()]
    upsert(session, Point, rows, ("job_id", "name", "step"))


def at(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    """The values at that step, by name."""
    there = (Point.job_id == job_id, Point.name.in_(names(session, job_id)), Point.step == step)
    return {row.name: row.value for row in session.execute(select(Point.name, Point.value).where(*there))}


def newest(session: Session, job_id: str, step: int) -> dict[str, float | None]:
    """The values of the newest report at `step` or before."""
    curve = (Point.job_id == job_id, Point.step <= step)
    last = (select(func.max(Point.step)).where(*curve, Point.name == name) for name in names(session, job_id))
    found = [one for one in map(session.scalar, last) if one is not None]
    return at(session, job_id, max(found)) if found else {}


def last_step(session: Session, job_id: str, prefix: str, until: int) -> int | None:
    """The last step, `until` at most, at which any curve whose name begins with `prefix` has a point."""
    named = [name for name in names(session, job_id) if name.startswith(prefix)]
    there = (Point.job_id == job_id, Point.name.in_(named), Point.step <= until)
    return session.scalar(select(func.max(Point.step)).where(*there))


def rewind(session: Session, job_id: str, step: int) -> None:
    """Forgets what lies past `step`."""
    session.execute(delete(Point).where(Point.job_id == job_id, Point.step > step))


def names(session: Session, job_id: str) -> Sequence[str]:
    """Of the job's curves, in order: one look into the index for each, however long they are."""
    first = select(func.min(Point.name).label("name")).where(Point.job_id == job_id).cte("named", recursive=True)
    beyond = select(func.min(Point.name)).where(Point.job_id == job_id, Point.name > first.c.name)
    named = first.union_all(select(beyond.scalar_subquery()).where(first.c.name.is_not(None)))
    return [name for name in session.scalars(select(named.c.name)) if name is not None]


def curves(
    session: Session, job_id: str, wanted: Collection[str] | None, after_step: int, most: int
) -> dict[str, tuple[Curve, bool]]:
    """Of each curve that has points past `after_step`: at most `most` of them, and whether there are more.

    A curve of more is thinned to its first and its last point and, of each of the equal stretches of steps between
    them, the least, the greatest and the first that was not finite. These are the points that a plot of no more than
    that many columns shows (M4, Jugel et al., VLDB 2014, less the ends of each stretch): no spike and no collapse is
    lost, which would be if every n-th point were taken, and the same points always give the same ones. The database
    looks through the curve; what leaves it is at most `most` + 1 points.
    """
    found = {}
    for name in names(session, job_id):
        if wanted is None or name in wanted:
            curve = _read(session, _of(job_id, name, after_step).limit(most + 1))
            thinned = len(curve) > most
            if curve:
                found[name] = (_thinned(session, job_id, name, curve[0], most) if thinned else curve), thinned
    return found


def _of(job_id: str, name: str, after_step: int) -> Select[int, float | None]:
    curve = (Point.job_id == job_id, Point.name == name, Point.step > after_step)
    return select(Point.step, Point.value).where(*curve).order_by(Point.step)


def _read(session: Session, query: Select[int, float | None]) -> Curve:
    return [(row.step, row.value) for row in session.execute(query)]


def _thinned(session: Session, job_id: str, name: str, first: tuple[int, float | None], most: int) -> Curve:
    ends = select(Point.step, Point.value).where(Point.job_id == job_id, Point.name == name)
    last = session.execute(ends.order_by(Point.step.desc()).limit(1)).one_or_none()
    if last is None:  # the job was deleted since its first points were read
        return []
    kept: dict[int, float | None] = {first[0]: first[1], last.step: last.value}
    for row in session.execute(_telling(job_id, name, first[0] + 1, last.step, max(1, (most - 2) // 3))):
        told = {row.at_least: row.least, row.at_most: row.most, row.lost: None}
        kept.update((step, value) for step, value in told.items() if step is not None)
    return sorted(kept.items())


def _telling(job_id: str, name: str, begin: int, end: int, stretches: int) -> Select[Any]:
    """Of each of the stretches of `begin` to before `end`: its least and its greatest value and their first steps
    (`least`, `at_least`, `most`, `at_most`), and the first step that was not finite (`lost`).

    Stretch n begins at begin + n * (end - begin) // stretches.
    """
    number = ((cast(Point.step, BigInteger) - (begin - 1)) * stretches - 1) // (end - begin)
    curve = (Point.job_id == job_id, Point.name == name, Point.step >= begin, Point.step < end)
    stretch = select(Point.step, Point.value, number.label("stretch")).where(*curve).subquery()
    least = func.min(stretch.c.value).over(partition_by=stretch.c.stretch).label("least")
    most = func.max(stretch.c.value).over(partition_by=stretch.c.stretch).label("most")
    point = select(stretch, least, most).subquery()

    def first(which: ColumnElement[bool]) -> ColumnElement[int | None]:
        return func.min(case((which, point.c.step)))

    columns = {
        "least": func.min(point.c.least), "at_least": first(point.c.value == point.c.least),
        "most": func.min(point.c.most), "at_most": first(point.c.value == point.c.most),
        "lost": first(point.c.value.is_(null())),
    }  # fmt: skip
    return select(*(column.label(label) for label, column in columns.items())).group_by(point.c.stretch)
