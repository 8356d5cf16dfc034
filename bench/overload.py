"""How soon does an overloaded service refuse requests, and how does it serve small requests meanwhile?

    python -m bench.overload [--quick] [--json FILE]

Clients request 20 grids of 1,000 pictures per second from a DCGAN for 28 px, several times the number that it can draw,
while other clients request 50 single pictures per second. For comparison, turns with only the single pictures
alternate with these. The service has its default settings: at most 4,000 pictures wait, and further requests get 429.
All requests come at a steady rate, whatever the server does, each on a separate connection. Figures, p50 and p99 in
milliseconds:

- of the single pictures, alone and beside the grids
- of the grids that were refused, with the share that was refused within 10 ms, the goal: `against` is the ratio to
  single pictures alone
"""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.load import Answers, quantile, steady
from bench.options import parser_of
from bench.results import Row, show, write
from bench.sample_latency import GET
from bench.trained import dcgan_of_noise
from examples.demo import service

GRIDS, GRID, SINGLES = 20, 1000, 50
"""grids per second, pictures in each, single pictures per second"""
GOAL_MS = 10.0
WARM_S, FULL_S = 5.0, 2.0
"""before anything is measured: of single pictures, and of grids until the queue is full"""


def main() -> None:
    options = parser_of("overload", __doc__, "2 turns of 5 s instead of 5 of 15 s").parse_args()
    seconds, turns = (5.0, 2) if options.quick else (15.0, 5)
    with tempfile.TemporaryDirectory() as folder:
        home, _ = dcgan_of_noise(Path(folder))
        with service(home) as forger:
            measured = asyncio.run(measure(urlsplit(forger.url).port or 80, seconds, turns))
    results = list(rows(*measured))
    show(f"{GRIDS} grids of {GRID} and {SINGLES} pictures per second", results)
    write("overload", results, options.json, grids=GRIDS, grid=GRID, singles=SINGLES, quick=options.quick)
    print(f"Written to {options.json}")


async def measure(port: int, seconds: float, turns: int) -> tuple[list[Answers], list[Answers], list[Answers]]:
    """Return the replies to single pictures alone, to single pictures beside grids, and to the grids."""
    seeds = itertools.count(1)
    alone, beside, grids = list[Answers](), list[Answers](), list[Answers]()
    await steady(port, requests(1, seeds), SINGLES, WARM_S)
    for _ in range(turns):
        alone.append(await steady(port, requests(1, seeds), SINGLES, seconds))
        overload = asyncio.create_task(steady(port, requests(GRID, seeds), GRIDS, FULL_S + seconds))
        await asyncio.sleep(FULL_S)
        beside.append(await steady(port, requests(1, seeds), SINGLES, seconds))
        grids.append(await overload)
    return alone, beside, grids


def requests(pictures: int, seeds: Iterator[int]) -> Iterator[bytes]:
    return (GET.format(path=f"/sample?model=dcgan-noise&n={pictures}&seed={seed}").encode() for seed in seeds)


def rows(alone: list[Answers], beside: list[Answers], grids: list[Answers]) -> Iterator[Row]:
    if unlike := {status for turn in (*alone, *beside, *grids) for status, _ in turn.refused} - {429}:
        raise SystemExit(f"The service replied {unlike}: only 200 and 429 say anything about overload.")
    if not all(turn.refused for turn in grids):
        raise SystemExit("No grid was refused in a turn: raise GRIDS, this machine draws them all.")
    cases = {
        "pictures alone": (alone, [turn.seconds for turn in alone]),
        "pictures beside grids": (beside, [turn.seconds for turn in beside]),
        "grids refused": (grids, [[took for _, took in turn.refused] for turn in grids]),
    }
    for share in (0.5, 0.99):
        ms = {case: 1000 * median(quantile(turn, share) for turn in turns) for case, (_, turns) in cases.items()}
        for case, value in ms.items():
            against = {"pictures alone": value / ms["pictures alone"]} if case == "grids refused" else {}
            yield Row(case, f"p{100 * share:.0f} ms", value, n=len(alone), against=against)
    soon = [1000 * took <= GOAL_MS for turn in grids for _, took in turn.refused]
    yield Row("grids refused", f"within {GOAL_MS:g} ms", sum(soon) / len(soon), n=len(soon))
    for case, (turns, _) in cases.items():
        yield Row(case, "refused", _refused(turns), n=len(turns))


def _refused(turns: list[Answers]) -> float:
    """Return the share of requests that were refused."""
    refused = sum(len(turn.refused) for turn in turns)
    return refused / (refused + sum(len(turn.seconds) for turn in turns))


if __name__ == "__main__":
    main()
