"""Times that are compared come from one clock: the database's, a file system's, or the monotonic one of a process."""

import re

import pytest

from app.core.settings import CHECKOUT
from tests.support.packages import PACKAGES

WALL = re.compile(r"\btime\.(time|time_ns|localtime|gmtime)\(|\b(datetime|date)\.(now|utcnow|today)\(|from time import")
MAY = {"app/core/ids.py"}
"""ids carry the time of birth, and are compared with each other only"""


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_reads_the_wall_clock(package: str) -> None:
    found = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / package).rglob("*.py")
        if WALL.search(path.read_text(encoding="utf-8"))
    }
    assert found <= MAY
