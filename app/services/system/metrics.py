"""Prometheus metrics of one API process.

The process counts its own requests and pictures, so several API processes are several targets. Metrics of jobs are read
from the database at each scrape, so every process reports the same.
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

_SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

EngineLoad = tuple[int, Sequence[int]]
"""number of waiting pictures, and at index n the number of batches of n pictures"""


class Metrics:
    """The metrics registry of one process.

    `engine_load` is called at each scrape; it returns None while this process has no engine.
    """

    def __init__(self, version: str, engine_load: Callable[[], EngineLoad | None]) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "forger_request_seconds",
            "Time from a request to the beginning of its reply.",
            ("method", "route", "status"),
            buckets=_SECONDS_BUCKETS,
            registry=self._registry,
        )
        Info("forger_build", "Version of the service.", registry=self._registry).info({"version": version})
        self._registry.register(_Jobs())
        self._registry.register(_Engine(engine_load))
        ProcessCollector(registry=self._registry)

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request. Unknown methods and routes share one label each, so that clients cannot add labels."""
        label = method if method in _METHODS else "other"
        self._requests.labels(label, route or "none", str(status)).observe(seconds)

    def text(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry)

    def families(self) -> Iterator[Metric]:
        yield from self._registry.collect()


class _Jobs(Collector):
    def collect(self) -> Iterator[Metric]:
        try:
            with unit_of_work(read_only=True) as session:
                measured = load.measure(session)
        except SQLAlchemyError as error:  # the process's own metrics are still useful
            log.warning("job_metrics_failed", error=str(error))
            measured = None
        yield _gauge("forger_database_up", "1 when the database answers, else 0.", float(measured is not None))
        if measured is not None:
            yield from _job_metrics(measured)


def _job_metrics(measured: Load) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("forger_jobs", "Jobs in each state; `queued` is the depth of the queue.", labels=["state"])
    for state, count in measured.jobs.items():
        jobs.add_metric([state], count)
    yield jobs
    yield _gauge(
        "forger_oldest_queued_seconds",
        "Time that the longest waiting job has been queued; 0 if none is.",
        measured.oldest_s,
    )
    yield _gauge(
        "forger_takeovers",
        "Attempts beyond the first, over all jobs that are kept: after a loss or a pause.",
        measured.takeovers,
    )
    speed = GaugeMetricFamily("forger_steps_per_second", "Speed of the jobs that train now.", labels=["family"])
    for family, rate in measured.steps_per_s.items():
        speed.add_metric([family], rate)
    yield speed


class _Engine(Collector):
    def __init__(self, engine_load: Callable[[], EngineLoad | None]) -> None:
        self._engine_load = engine_load

    def collect(self) -> Iterator[Metric]:
        engine_load = self._engine_load()
        yield _gauge(
            "forger_engine_up",
            "1 when the process can draw, else 0; it is 0 until there is a model.",
            float(engine_load is not None),
        )
        waiting, batches = engine_load or (0, ())
        yield _gauge("forger_engine_waiting_pictures", "Pictures in the engine's queue.", waiting)
        yield HistogramMetricFamily(
            "forger_engine_batch_pictures",
            "Pictures that the engine drew in one batch.",
            buckets=[
                *((str(float(limit)), sum(batches[: limit + 1])) for limit in _BATCH_BUCKETS),
                ("+Inf", sum(batches)),
            ],
            sum_value=sum(n * count for n, count in enumerate(batches)),
        )


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
