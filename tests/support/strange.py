"""Functions that tests run in the children of a sandbox. Imports nothing heavy: it is loaded in them."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import WrongMedia

Work = Callable[[], object]


def echo(value: Any) -> Any:
    return value


def pixels(side: int) -> NDArray[np.uint8]:
    return np.full((side, side, 3), 7, np.uint8)


def who() -> int:
    return os.getpid()


def environment() -> list[str]:
    return list(os.environ)


def refuse() -> None:
    raise WrongMedia("No picture.", "none", "/here")


def mistake() -> float:
    return 1 / 0


def hang() -> None:
    time.sleep(100)


def compute() -> None:
    while True:
        pass


def eat() -> int:
    return len(bytes(1 << 30))


def die() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def write(path: Path) -> None:
    path.write_bytes(bytes(100_000))
