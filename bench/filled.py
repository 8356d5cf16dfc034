"""Fill a database as after years of use: jobs in every state, their events and their curves, inserted in bulk."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from app.core.settings import get_settings
from app.core.states import ACTIVE
from app.db.session import engine, unit_of_work
from app.db.tables import Job
from app.services.job_spec import Evaluate, JobSpec, Train
from forger.schemas.specs import Weights
from forger.wire import EVALUATE, TERMINAL, TRAIN, JobState
from models.spec.resolve import resolve

KINDS = (("gan", "ring8"), ("wgan_gp", "grid25"), ("dcgan", "digits"), ("cdcgan", "digits"), ("cyclegan", "day2night"))
CURVES = 5
STATES = (
    *((JobState.QUEUED,) * 5), JobState.RUNNING, JobState.PAUSED,
    *((JobState.FAILED,) * 93), *((JobState.CANCELLED,) * 100), *((JobState.SUCCEEDED,) * 800),
)  # fmt: skip
"""of each thousand jobs"""
BEGAN = 1_700_000_000.0
APART_S = 60.0
"""seconds between the births of two jobs"""
BATCH = 2_000
_NUMBERS = "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < :most) "
_POINTS = (
    "INSERT INTO points (job_id, name, step, value) {numbers} "
    "SELECT jobs.id, 'curve/' || curve.n, 10 * report.n, 1.0 / (report.n + curve.n) FROM jobs, "
    "(SELECT n FROM number WHERE n <= {curves}) AS curve, number AS report WHERE jobs.id IN {jobs}"
)
_EVENTS = (
    "INSERT INTO events (job_id, seq, position, type, data, at) {numbers} "
    "SELECT jobs.id, n, row_number() OVER (ORDER BY jobs.id, n), "
    "CASE WHEN n IN (1, :most) THEN 'state' ELSE 'metrics' END, CASE WHEN n IN (1, :most) "
    "THEN '{{\"state\": \"' || jobs.state || '\"}}' ELSE '{{\"step\": ' || n || ', \"values\": {{}}}}' END{json}, "
    "jobs.created_at FROM jobs, number"
)
EVENTS = 6
"""of each job"""


@dataclass(frozen=True)
class Filled:
    """The ids of the inserted jobs, oldest first."""

    jobs: list[str]
    queued: list[str]
    running: list[str]
    often: list[str]
    """those that report often"""


def fill(jobs: int, reports: int, often: int) -> Filled:
    """Insert so many jobs, with so many reports each, into the database of the settings, which is migrated and empty.

    One in ten thousand, the oldest first, has made `often` reports. Each report is a point of each of five curves.
    """
    rows = [_job(number, jobs - 1 - number) for number in range(jobs)]
    long = [job["id"] for job in rows[::10_000]]
    for first in range(0, jobs, BATCH):
        with unit_of_work() as session:
            session.execute(insert(Job), rows[first : first + BATCH])
    with unit_of_work() as session:
        if session.get_bind().dialect.name == "postgresql":  # else each row is looked up in the jobs
            session.execute(text("SET LOCAL session_replication_role = replica"))
        named = "(" + ", ".join(f"'{job_id}'" for job_id in long) + ")"
        _tell(session, _POINTS, reports, f"(SELECT id FROM jobs WHERE id NOT IN {named})")
        _tell(session, _POINTS, often, named)
        _tell(session, _EVENTS, EVENTS)
        session.execute(text("UPDATE event_counter SET last = (SELECT count(*) FROM events)"))
    _settle()
    of = {state: [job["id"] for job in rows if job["state"] == state] for state in JobState}
    return Filled([job["id"] for job in rows], of[JobState.QUEUED], of[JobState.RUNNING], long)


def _tell(session: Session, statement: str, most: int, jobs: str = "") -> None:
    cast = "::json" if session.get_bind().dialect.name == "postgresql" else ""
    whole = statement.format(numbers=_NUMBERS, curves=CURVES, jobs=jobs, json=cast).replace(":most", str(most))
    session.connection().exec_driver_sql(whole)


def _settle() -> None:
    """Collect statistics, as PostgreSQL does after a while. SQLite never collects them here, and plans without."""
    source = engine(get_settings().database_url)
    if source.dialect.name == "postgresql":
        with source.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _job(number: int, age: int) -> dict[str, Any]:
    """As a service would have left it. The newest are alike in all databases; neighbours differ in state and family."""
    family, dataset = KINDS[age % len(KINDS)]
    state = STATES[age * 619 % len(STATES)]
    born = BEGAN + APART_S * number
    spec = _SPECS[family, EVALUATE if age % 11 == 7 else TRAIN]
    begun, ended = state not in (JobState.QUEUED, JobState.PAUSED), state in TERMINAL
    return {
        "id": f"job_{int(born * 1000):012x}7{number & 0xFFF:03x}8{number:015x}",
        "kind": spec.kind,
        "state": state,
        "reason_code": "internal_error" if state == JobState.FAILED else None,
        "reason_message": "It broke." if state == JobState.FAILED else None,
        "family": family,
        "dataset": dataset,
        "model_name": f"{family}-{dataset}",
        "spec": spec.to_json(),
        "step": 500 if begun else 0,
        "total": 1000,
        "last_event": EVENTS,
        "fence": int(begun) + (age % 97 == 0),
        "runner_losses": 0,
        "owner": "bench:1" if state in ACTIVE else None,
        "lease_expires": 1e11 if state in ACTIVE else None,
        "eta_s": 5.0 if state in ACTIVE else None,
        "rung_at": 1e11,
        "created_at": born,
        "queued_at": born,
        "started_at": born + 1 if begun else None,
        "finished_at": born + 100 if ended else None,
    }


def _specs() -> Iterator[tuple[tuple[str, str], JobSpec]]:
    weights = Weights(model="some@1", checkpoint=None, job=None, step=1000, sha256="0" * 64)
    for family, dataset in KINDS:
        recipe = resolve(family, dataset=dataset, seed=1, budget={"steps": 1000})[1]
        about: dict[str, Any] = {"recipe": recipe, "family": family, "model_name": f"{family}-{dataset}"}
        yield (family, TRAIN), Train(**about, devices=1, start_from=None, extended_at=None)
        yield (family, EVALUATE), Evaluate(**about, weights=weights, n=500, features="own", seed=0, figures=None)


_SPECS = dict(_specs())
