"""Times that are compared come from one clock: the database's, the file system's, or the process's monotonic clock."""

import re

import pytest

from app.core.settings import CHECKOUT
from tests.support.packages import PACKAGES

WALL_CLOCK = re.compile(
    r"\btime\.(time|time_ns|localtime|gmtime)\(|\b(datetime|date)\.(now|utcnow|today)\(|from time import"
)
ALLOWED = {"app/core/ids.py"}
"""ids contain their time of creation and are compared only with each other"""


@pytest.mark.parametrize("package", PACKAGES)
def test_only_allowed_files_read_the_wall_clock(package: str) -> None:
    found = {
        str(path.relative_to(CHECKOUT))
        for path in (CHECKOUT / package).rglob("*.py")
        if WALL_CLOCK.search(path.read_text(encoding="utf-8"))
    }
    assert found <= ALLOWED
