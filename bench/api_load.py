"""Is the API as quick with a full database as with an almost empty one?

    python -m bench.api_load [--quick] [--only WORD] [--json FILE]

One API serves a database of 100,000 jobs and 10 million points of curves (bench/filled.py), another API a database of
200 jobs of the same kinds; both on SQLite and on PostgreSQL. The two APIs share one core and are measured alternately
for each request; the clients have another core. Figures, medians over the turns, with half the distance between
quartiles of p99 as spread:

- p50, p99: milliseconds, for 4 clients that send the next request as soon as they have a reply

`against` is the ratio of the full database to the almost empty one. Then 1 and 200 clients alternately follow the event
streams of ten jobs, while each job writes four reports per second:

- p50, p99: milliseconds from writing an event to its arrival at a follower
- cpu: processor seconds of the API per second

Here `against` is the ratio to one follower. Every event must arrive.
"""

import argparse
import asyncio
import itertools
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from app.core.settings import get_settings
from app.db import migrate
from app.db.session import engine
from bench.filled import Filled, fill
from bench.followers import Followed, follow
from bench.load import Answers, load
from bench.options import parser_of
from bench.results import Row, show, write
from bench.sample_latency import CLIENT_CORE, SERVER_CORE, System, free_port, serving
from tests.support.postgres import CannotStart, Postgres
from tests.support.settings import clear_caches

FULL, QUICK = (100_000, 19, 10_000), (5_000, 7, 5_000)
"""jobs, reports of each, and of one in ten thousand: 10 million points of curves; 200,000"""
ALMOST_EMPTY = 200
"""jobs, whose reports are as many"""
CLIENTS = 4
FOLLOWERS = (1, 200)
FOLLOWED = 10
"""jobs"""
GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
PathOf = Callable[[Filled, random.Random], str]
"""returns the path of one request"""


def _list(query: str) -> PathOf:
    return lambda has, chance: f"/jobs?limit=10&{query}"


def _next_page(query: str) -> PathOf:
    return lambda has, chance: f"/jobs?limit=10&after={chance.choice(has.jobs[len(has.jobs) // 2 :])}&{query}"


PATHS: dict[str, PathOf] = {
    "GET /jobs": _list(""),
    "GET /jobs, any page": _next_page(""),
    "GET /jobs of a state": _list("state=succeeded"),
    "GET /jobs of a family": _next_page("family=dcgan"),
    "GET /jobs of a dataset": _next_page("dataset=digits"),
    "GET /jobs of a model": _next_page("model=gan-ring8"),
    "GET /jobs of a kind": _list("kind=evaluate"),
    "GET /jobs of a state and a family": _next_page("state=succeeded&family=dcgan"),
    "GET /jobs/{id}": lambda has, chance: f"/jobs/{chance.choice(has.jobs)}",
    "GET /jobs/{id}, last in the queue": lambda has, chance: f"/jobs/{has.queued[-1]}",
    "GET /jobs/{id}/metrics": lambda has, chance: f"/jobs/{chance.choice(has.jobs[1:])}/metrics",
    "GET /jobs/{id}/metrics, thinned": lambda has, chance: f"/jobs/{chance.choice(has.often)}/metrics",
    "GET /jobs/{id}/events": lambda has, chance: f"/jobs/{chance.choice(has.jobs)}/events",
}


@dataclass
class Place:
    """A database, filled, and the API that serves it."""

    settings: dict[str, str]
    has: Filled
    system: System
    answers: dict[str, list[Answers]] = field(default_factory=dict)

    def turn(self, name: str, seconds: float) -> None:
        chance = random.Random(len(self.answers.get(name, ())))
        requests = (GET.format(path=PATHS[name](self.has, chance)).encode() for _ in itertools.count())
        answers = asyncio.run(load(self.system.port, requests, CLIENTS, seconds))
        if answers.refused or not answers.seconds:
            raise SystemExit(f"{name}: {self.system.name} refused {len(answers.refused)} requests.")
        self.answers.setdefault(name, []).append(answers)


def main() -> None:
    options = _options()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("This bench needs two cores: one for the servers, one for the clients.")
    rows: list[Row] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for backend in ("sqlite", "postgresql"):
            if options.only in backend:
                rows += measured(backend, folder / backend, cores, options.quick)
    show("The API, full against almost empty", rows)
    write("api_load", rows, options.json, quick=options.quick, clients=CLIENTS)
    print(f"Written to {options.json}")


def measured(backend: str, folder: Path, cores: list[int], quick: bool) -> Iterator[Row]:
    seconds, turns = (1.0, 3) if quick else (2.0, 5)
    with ExitStack() as stack:
        jobs, *reports = QUICK if quick else FULL
        full = stack.enter_context(place(backend, "full", folder, (jobs, *reports), cores[SERVER_CORE]))
        empty = stack.enter_context(
            place(backend, "almost empty", folder, (ALMOST_EMPTY, *reports), cores[SERVER_CORE])
        )
        os.sched_setaffinity(0, {cores[CLIENT_CORE]})
        for name in PATHS:
            for number in range(turns + 1):
                for one in (full, empty) if number % 2 else (empty, full):
                    one.turn(name, seconds)
            for one in (full, empty):
                del one.answers[name][0]  # it warmed up
            yield from request_rows(backend, name, full, empty)
        yield from followed(backend, full, 5.0 if quick else 20.0, 1 if quick else 3)
        os.sched_setaffinity(0, cores)


def request_rows(backend: str, name: str, full: Place, empty: Place) -> Iterator[Row]:
    for figure, share in (("p50 ms", 0.5), ("p99 ms", 0.99)):
        each = {one.system.name: [1000 * turn.quantile(share) for turn in one.answers[name]] for one in (full, empty)}
        ratio = median(each["full"]) / median(each["almost empty"])
        for which, values in each.items():
            low, _, high = quantiles(values, n=4)
            against = {"almost empty": ratio} if which == "full" else {}
            yield Row(f"{backend}: {name}, {which}", figure, median(values), (high - low) / 2, len(values), against)
        print(f"{backend}: {name}, {figure}: {median(each['full']):.2f}, {ratio:.2f} of almost empty", flush=True)


def followed(backend: str, full: Place, seconds: float, turns: int) -> Iterator[Row]:
    """Measure streams of the full database only: their queries depend on one job's events, not on the other jobs."""
    runs: dict[int, list[Followed]] = {count: [] for count in FOLLOWERS}
    with settings_of(full.settings):
        for _, count in itertools.product(range(turns), FOLLOWERS):
            jobs = full.has.running[:FOLLOWED]
            runs[count].append(asyncio.run(follow(full.system, jobs, count, seconds)))
    for figure, of in {
        "p50 ms": lambda run: 1000 * run.quantile(0.5),
        "p99 ms": lambda run: 1000 * run.quantile(0.99),
        "cpu": lambda run: run.cpu,
    }.items():
        values = {count: median(map(of, rows)) for count, rows in runs.items()}
        for count, value in values.items():
            against = {"1 follower": value / values[1]} if count > 1 else {}
            yield Row(f"{backend}: {count} followers", figure, value, n=turns, against=against)
        print(f"{backend}: followers, {figure}: {values}", flush=True)


@contextmanager
def place(backend: str, name: str, folder: Path, size: Sequence[int], core: int) -> Iterator[Place]:
    home, port = folder / name.replace(" ", "-"), free_port()
    home.mkdir(parents=True)
    with ExitStack() as stack:
        settings = {"FORGER_HOME": str(home), "FORGER_PORT": str(port), "FORGER_LOG_LEVEL": "warning"}
        if backend == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgres())
        with settings_of(settings):
            began = time.perf_counter()
            migrate.upgrade()
            has = fill(*size)
            print(f"{backend}, {name}: {size[0]} jobs in {time.perf_counter() - began:.0f} s", flush=True)
        command = [sys.executable, "-P", "-m", "forger", "serve", "--only", "api"]
        alive = GET.format(path="/livez")
        system = stack.enter_context(serving(name, command, settings, core, port, lambda _: alive))
        yield Place(settings, has, system)


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database on a server of its own."""
    try:
        server = Postgres().start()
    except CannotStart as reason:
        raise SystemExit(f"PostgreSQL cannot be started here: {reason}") from None
    try:
        yield server.url(server.create())
    finally:
        server.remove()


@contextmanager
def settings_of(settings: dict[str, str]) -> Iterator[None]:
    """For this process too, so that it can write where the API reads."""
    before = dict(os.environ)
    os.environ.pop("DATABASE_URL", None)
    os.environ.update(settings)
    clear_caches()
    try:
        yield
    finally:
        engine(get_settings().database_url).dispose()
        os.environ.clear()
        os.environ.update(before)
        clear_caches()


def _options() -> argparse.Namespace:
    parser = parser_of("api_load", __doc__, "5,000 jobs, 200,000 points, 3 turns of 1 s")
    parser.add_argument("--only", metavar="WORD", default="", help="databases whose names contain it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
