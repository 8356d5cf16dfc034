"""Metrics of one API process, for Prometheus.

Requests and pictures are counted by the process itself: several API processes are several targets. What concerns the
jobs is read from the database when it is asked for, so every process says the same of it.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from app.core.logging import get_logger
from app.db.repositories import load
from app.db.repositories.load import Load
from app.db.session import unit_of_work

log = get_logger(__name__)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TURNS = (1, 2, 4, 8, 16, 32)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

EngineLoad = tuple[int, Sequence[int]]
"""pictures that wait, and at place n the number of turns in which n pictures were made"""


class Metrics:
    """`engine` is asked at each scrape; None while there is no engine in this process."""

    def __init__(self, version: str, engine: Callable[[], EngineLoad | None]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "forger_request_seconds",
            "Time from a request to the beginning of its reply.",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        Info("forger_build", "Version of the service.", registry=self._registry).info({"version": version})
        self._registry.register(_Jobs())
        self._registry.register(_Engine(engine))
        ProcessCollector(registry=self._registry)

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """What clients invent, methods and addresses, must not become labels without end."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route or "none", str(status)).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        yield from self._registry.collect()


class _Jobs(Collector):
    def collect(self) -> Iterator[Metric]:
        try:
            with unit_of_work(read_only=True) as session:
                found = load.measure(session)
        except SQLAlchemyError as error:  # the figures of the process itself are worth having then
            log.warning("jobs_not_measured", error=str(error))
            found = None
        yield _gauge("forger_database_up", "1 when the database answers, else 0.", float(found is not None))
        if found is not None:
            yield from _of_jobs(found)


def _of_jobs(found: Load) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("forger_jobs", "Jobs in each state; `queued` is the depth of the queue.", labels=["state"])
    for state, count in found.jobs.items():
        jobs.add_metric([state], count)
    yield jobs
    yield _gauge(
        "forger_oldest_queued_seconds", "Time the longest waiting job has been queued; 0 when none is.", found.oldest_s
    )
    yield _gauge(
        "forger_takeovers", "Attempts beyond the first of all jobs kept: after a loss or a pause.", found.takeovers
    )
    pace = GaugeMetricFamily("forger_steps_per_second", "Pace of the jobs that train now.", labels=["family"])
    for family, rate in found.pace.items():
        pace.add_metric([family], rate)
    yield pace


class _Engine(Collector):
    def __init__(self, ask: Callable[[], EngineLoad | None]) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Metric]:
        asked = self._ask()
        yield _gauge(
            "forger_engine_up",
            "1 when the process can draw, else 0; it is 0 until there is a model.",
            float(asked is not None),
        )
        waiting, turns = asked or (0, ())
        yield _gauge("forger_engine_waiting_pictures", "Pictures in the engine's queue.", waiting)
        yield HistogramMetricFamily(
            "forger_engine_batch_pictures",
            "Pictures the engine made together in one turn.",
            buckets=[*((str(float(limit)), sum(turns[: limit + 1])) for limit in _TURNS), ("+Inf", sum(turns))],
            sum_value=sum(n * count for n, count in enumerate(turns)),
        )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
