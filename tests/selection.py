"""Choose which tests a run takes: `--take quick | usual | rest | all`.

- `quick`: no test that starts processes (services, workers, PostgreSQL, ranks) and none marked `slow`.
- `usual`: everything but the cases that a `sampled` test leaves out and the tests marked `long`.
- `rest`: what `usual` leaves out; `--part K/N` takes the K-th of N parts of it.
- `all`, the default: every test.

`@pytest.mark.sampled(n, quick=m)` marks a test of many cases: `usual` takes n of them (all without n), `quick` takes m
(one without m). They are drawn by `--sample-seed` and the names of the cases, so a run can be repeated anywhere.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from enum import IntEnum

import pytest

STARTS_PROCESSES = {"service", "start_service", "postgres", "broker"}
"""fixtures; so does the parameter `backend` where it is postgresql"""


class Tier(IntEnum):
    """A run takes the tests of its tier and of those below."""

    QUICK = 0
    USUAL = 1
    REST = 2


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("selection", "which tests are taken")
    group.addoption("--take", choices=("quick", "usual", "rest", "all"), default="all", help="default: all")
    group.addoption("--part", default="0/1", metavar="K/N", help="with --take rest: the K-th of N parts, from 0")
    group.addoption("--sample-seed", default="1", help="draws the cases of sampled tests; default: 1")


def pytest_report_header(config: pytest.Config) -> str:
    taken, seed = config.getoption("take"), config.getoption("sample_seed")
    part = f", part {config.getoption('part')}" if taken == "rest" else ""
    return f"tests taken: {taken}{part}; sampled by seed {seed}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    taken = config.getoption("take")
    if taken == "all":
        return
    tiers = tiers_of(items, config.getoption("sample_seed"))
    if taken == "rest":
        part, parts = map(int, config.getoption("part").split("/"))
        chosen = {item for item, tier in tiers.items() if tier is Tier.REST and draw(item.nodeid) % parts == part}
    else:
        chosen = {item for item, tier in tiers.items() if tier <= Tier[taken.upper()]}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


def tiers_of(items: Iterable[pytest.Item], seed: str) -> dict[pytest.Item, Tier]:
    tiers: dict[pytest.Item, Tier] = {}
    cases: dict[object, list[pytest.Item]] = defaultdict(list)
    for item in items:
        tiers[item] = own_tier(item)
        if item.get_closest_marker("sampled"):
            cases[item.path, getattr(item, "originalname", item.name)].append(item)
    for group in cases.values():
        marker = group[0].get_closest_marker("sampled")
        assert marker is not None
        usual, quick = (*marker.args, len(group))[0], marker.kwargs.get("quick", 1)
        drawn = sorted((item for item in group if tiers[item] < Tier.REST), key=lambda item: draw(seed, item.nodeid))
        tiers.update(dict.fromkeys(drawn[usual:], Tier.REST))
        in_process = [item for item in drawn[:usual] if tiers[item] is Tier.QUICK]
        tiers.update(dict.fromkeys(in_process[quick:], Tier.USUAL))
    return tiers


def own_tier(item: pytest.Item) -> Tier:
    """The tier of a test by itself, whatever its sample."""
    if item.get_closest_marker("long"):
        return Tier.REST
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    starts = STARTS_PROCESSES.intersection(getattr(item, "fixturenames", ()))
    marked = item.get_closest_marker("processes") or item.get_closest_marker("slow")
    return Tier.USUAL if starts or marked or parameters.get("backend") == "postgresql" else Tier.QUICK


def draw(*words: str) -> int:
    """A number that follows from the words."""
    return int.from_bytes(hashlib.sha256("\n".join(words).encode()).digest()[:8])
