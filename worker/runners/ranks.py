"""The other ranks of a job on several devices: processes that its runner starts, feeds and takes along when it ends.

Rank 0 is the runner, which alone has a database, a supervisor and checkpoints. `python -m worker.runners.ranks`
is another; its orders are one line of JSON on its stdin, which stays open as long as the runner lives.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from structlog.contextvars import bind_contextvars

from app.core.logging import configure, get_logger
from app.core.sandbox import environment, private
from app.core.settings import get_settings
from app.services import plugins
from app.services.datasets import catalog
from app.services.datasets.catalog import DatasetFiles
from models.spec.recipe import Recipe
from worker.runners.inputs import read_data
from worker.runners.supervisor_link import SupervisorLink

if TYPE_CHECKING:  # torch takes seconds to import
    from worker.training.numerics import Numerics

log = get_logger(__name__)
EXIT_RANK_LOST = 71
"""the runner's exit status when another rank died"""
ScratchFolder = Callable[[str], AbstractContextManager[Path]]
"""makes a folder for a purpose, for the time of a block"""
RANK_DEATH_WAIT_S = 5.0
"""after which an error of an exchange between ranks is no other rank's death"""


@contextmanager
def start_ranks(recipe: Recipe, numerics: "Numerics", scratch: ScratchFolder, **bound: Any) -> Iterator[None]:
    """Meanwhile this process is rank 0 of as many ranks as `numerics` has devices.

    `bound` is what the others' log lines say. When one of them dies this process ends with LOST, whatever it is doing.
    """
    if numerics.devices == 1:
        yield
        return
    from models import distributed

    with scratch("ranks") as meeting:
        orders: dict[str, Any] = {
            "recipe": recipe.model_dump(mode="json"),
            "numerics": numerics.as_dict(),
            "files": _as_json(catalog.files(recipe.data.dataset)),
            "store": f"{meeting}/store",
            "bound": bound,
        }
        others = [RankProcess(orders | {"rank": rank}) for rank in range(1, numerics.devices)]
        try:
            for other in others:
                other.order()
            distributed.join(numerics.device, orders["store"], 0, numerics.devices)
            yield
        except RuntimeError:  # a broken exchange between ranks, perhaps
            deadline = time.monotonic() + RANK_DEATH_WAIT_S
            for other in others:
                other.exit_if_dead(deadline)
            raise
        finally:
            for other in others:
                other.dismiss()
            distributed.leave()


class RankProcess:
    """A rank as rank 0 sees it. In the runner's process group, so that who kills that kills all."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._rank, self._orders = orders["rank"], orders
        self._dismissed = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.runners.ranks"],
            stdin=subprocess.PIPE,
            env=environment.only(environment.RANK),
        )
        self._watcher = threading.Thread(target=self._watch, name=f"rank-{self._rank}", daemon=True)
        self._watcher.start()

    def order(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died already: the watcher says so
            self._process.stdin.write(json.dumps(self._orders).encode() + b"\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        self._dismissed = True
        self._process.kill()
        self._watcher.join()

    def exit_if_dead(self, deadline: float) -> None:
        """Does not return where this rank has just died."""
        self._watcher.join(max(0.0, deadline - time.monotonic()))

    def _watch(self) -> None:
        status = self._process.wait()
        if status != 0 and not self._dismissed:
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            log.error("rank_lost", exception=f"Rank {self._rank} of the job {how}; the others cannot go on without it.")
            os._exit(EXIT_RANK_LOST)


def main() -> int:
    """A rank's life. The exit status: 0 once the budget is spent."""
    private.begin()
    orders = json.loads(sys.stdin.readline())
    SupervisorLink().open()
    configure(get_settings().log_level, "runner")
    bind_contextvars(**orders["bound"], rank=orders["rank"])
    from models import distributed
    from worker.training import numerics
    from worker.training.loop import follow_rank_0

    recipe, settled = Recipe.model_validate(orders["recipe"]), numerics.Numerics.from_dict(orders["numerics"])
    plugins.require(recipe)
    numerics.apply(settled)
    data = read_data(recipe.data, "train", _from_json(orders["files"]), lambda: None)
    distributed.join(settled.device, orders["store"], orders["rank"], settled.devices)
    follow_rank_0(recipe, data, settled)
    return 0


def _as_json(files: DatasetFiles | None) -> list[str] | None:
    return None if files is None else [str(files.archive), str(files.index)]


def _from_json(told: list[str] | None) -> DatasetFiles | None:
    return None if told is None else DatasetFiles(*map(Path, told))


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Skip Python's shutdown: gloo's thread may free a tensor during it, which aborts the process.
    os._exit(status)
