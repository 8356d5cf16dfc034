"""The other ranks of a job on several devices: processes that its runner starts and ends.

Rank 0 is the runner: it alone has a database, a supervisor and checkpoints. `python -m worker.runners.ranks` is
another rank. It reads its orders as one line of JSON from stdin, which stays open as long as the runner lives.
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
"""creates a folder for a purpose, and removes it at the end of the block"""
RANK_DEATH_WAIT_S = 5.0
"""seconds to wait, after a collective call failed, for another rank's death that explains it"""


@contextmanager
def start_ranks(recipe: Recipe, numerics: "Numerics", scratch: ScratchFolder, **bound: Any) -> Iterator[None]:
    """Make this process rank 0 of one rank per device, and run the other ranks until the block ends.

    `bound` are fields of the other ranks' log lines. When another rank dies, this process exits with EXIT_RANK_LOST at
    once.
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
                other.send_orders()
            distributed.join(numerics.device, orders["store"], 0, numerics.devices)
            yield
        except RuntimeError:  # perhaps a collective call that failed because another rank died
            deadline = time.monotonic() + RANK_DEATH_WAIT_S
            for other in others:
                other.exit_if_dead(deadline)
            raise
        finally:
            for other in others:
                other.stop()
            distributed.leave()


class RankProcess:
    """Another rank's process. It is in the runner's process group, so that killing the group ends all ranks."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._rank, self._orders = orders["rank"], orders
        self._stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.runners.ranks"],
            stdin=subprocess.PIPE,
            env=environment.select(environment.RANK),
        )
        self._watcher = threading.Thread(target=self._watch, name=f"rank-{self._rank}", daemon=True)
        self._watcher.start()

    def send_orders(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has died already: the watcher reports that
            self._process.stdin.write(json.dumps(self._orders).encode() + b"\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        self._stopped = True
        self._process.kill()
        self._watcher.join()

    def exit_if_dead(self, deadline: float) -> None:
        """Wait until `deadline` for the watcher, which ends this process if the rank has just died."""
        self._watcher.join(max(0.0, deadline - time.monotonic()))

    def _watch(self) -> None:
        status = self._process.wait()
        if status != 0 and not self._stopped:
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
            log.error("rank_lost", exception=f"Rank {self._rank} of the job {how}; the others cannot go on without it.")
            os._exit(EXIT_RANK_LOST)


def main() -> int:
    """Run a rank other than 0 and return its exit status: 0 once the budget is spent."""
    private.harden_process()
    orders = json.loads(sys.stdin.readline())
    SupervisorLink().open()
    configure(get_settings().log_level, "runner")
    bind_contextvars(**orders["bound"], rank=orders["rank"])
    from models import distributed
    from worker.training import numerics
    from worker.training.loop import follow_rank_0

    recipe, agreed = Recipe.model_validate(orders["recipe"]), numerics.Numerics.from_dict(orders["numerics"])
    plugins.require(recipe)
    numerics.apply(agreed)
    data = read_data(recipe.data, "train", _from_json(orders["files"]), lambda: None)
    distributed.join(agreed.device, orders["store"], orders["rank"], agreed.devices)
    follow_rank_0(recipe, data, agreed)
    return 0


def _as_json(files: DatasetFiles | None) -> list[str] | None:
    return None if files is None else [str(files.archive), str(files.index)]


def _from_json(paths: list[str] | None) -> DatasetFiles | None:
    return None if paths is None else DatasetFiles(*map(Path, paths))


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # Skip Python's shutdown: gloo's thread may free a tensor during it, which aborts the process.
    os._exit(status)
