"""Are estimates upper bounds of a training's cost, and how far above it are they?

    python -m bench.estimates [--quick] [--json FILE]

Every family, as it is and at a larger size, is trained for a few steps by a real runner process, with a checkpoint and
an evaluation halfway and at the end; its peak of resident memory is read from /proc. Figures of each case:

- weights: of all networks, as estimated; `against` is the ratio to the weights of the built networks, 1 if exact
- estimated MiB, measured MiB: memory, and the ratio of both
- disk estimated MB, disk kept MB: the second is the size of the files at the end

Both include the process before it computes, some 380 MiB.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from app.core.settings import get_settings
from app.db import migrate
from app.services.creation import train
from app.services.jobs import attempts, lifecycle
from bench.options import parser_of
from bench.results import Row, show, write
from forger.wire import JobState
from models.build import build, count_parameters
from models.spec.families import FAMILIES
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.runner_process import RunnerProcess

STEPS, GROWING_STEPS = 4, 10
"""of networks that grow with the budget enough for each stage to be trained"""
LOOK_S = 0.02
MIB = 1 << 20
Overrides = dict[str, Any]

_SIDE_64: Overrides = {"data": {"side": 64}}
_IN_BATCHES = {
    128: ("dcgan", "cdcgan", "acgan", "wgan", "d2gan", "pacgan", "mdgan"),
    64: ("wgan_gp", "sngan", "biggan", "progan", "stackgan", "began"),
    32: ("sagan", "r3gan"),
    16: ("srgan", "inpaint"),
}
_WIDE: Overrides = {"generator": {"hidden": [4096, 4096]}, "critic": {"hidden": [4096, 2048]}, "batch_size": 1024}
LARGER: dict[str, Overrides] = {
    "gan": _WIDE,
    "cgan": _WIDE,
    **{name: _SIDE_64 | {"batch_size": size} for size, names in _IN_BATCHES.items() for name in names},
    "lsgan": {"data": {"side": 32}, "generator": {"width": 256}, "critic": {"width": 256}, "batch_size": 16},
    "unrolled": {"data": {"side": 32}},
    "minibatch": {"batch_size": 512},
    "cyclegan": {"batch_size": 8},
    "pix2pix": {"batch_size": 32},
    "vae": _SIDE_64 | {"generator": {"hidden": [2048]}, "batch_size": 4096},
    "beta_vae": _SIDE_64 | {"generator": {"hidden": [4096]}, "batch_size": 2048},
    "autoencoder": _SIDE_64 | {"batch_size": 256},
    "linear_autoencoder": _SIDE_64 | {"batch_size": 8192},
    "gumbel_gan": {"generator": {"width": 256}, "critic": {"width": 256}, "batch_size": 4096},
}
"""of each family a size whose maps or weights, not the process, take most of the memory, or much of it"""


@dataclass(frozen=True)
class Peak:
    memory_bytes: int
    disk_bytes: int
    """of the job's checkpoints and artifacts at its end"""


def main() -> None:
    options = parser_of("estimates", __doc__, "no larger sizes").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"FORGER_HOME": folder, "FORGER_LOG_LEVEL": "error"}
        get_settings.cache_clear()
        migrate.upgrade()
        rows = [row for name, recipe in cases(larger=not options.quick) for row in measure(name, recipe)]
    show("Estimates beside measured peaks", rows)
    write("estimates", rows, options.json, quick=options.quick, precision="fp32")
    print(f"Written to {options.json}")


def cases(*, larger: bool) -> Iterator[tuple[str, Recipe]]:
    for family in FAMILIES:
        yield family, recipe_of(family, {})
        if larger:
            yield f"{family}, larger", recipe_of(family, LARGER[family])


def recipe_of(family: str, overrides: Overrides) -> Recipe:
    """In fp32, in which maps take most; with all that a job does besides its steps."""
    steps = GROWING_STEPS if family in ("progan", "stackgan") else STEPS
    often = {"precision": "fp32", "checkpoint_every": steps // 2, "watch": {"every": steps // 2}}
    return resolve(family, seed=1, budget={"steps": steps}, overrides=overrides | often)[1]


def measure(case: str, recipe: Recipe) -> Iterator[Row]:
    peak, job = run(recipe)
    estimate = lifecycle.get(job).estimate
    assert estimate is not None
    weights = estimate.parameters.total
    ratio = estimate.memory_bytes / peak.memory_bytes
    yield Row(case, "weights", weights, against={"the networks themselves": weights / counted(recipe)})
    yield Row(case, "estimated MiB", round(estimate.memory_bytes / MIB, 1))
    yield Row(case, "measured MiB", round(peak.memory_bytes / MIB, 1))
    yield Row(case, "quotient", round(ratio, 3))
    yield Row(case, "disk estimated MB", round(estimate.disk_bytes / 1e6, 1))
    yield Row(case, "disk kept MB", round(peak.disk_bytes / 1e6, 1))
    print(f"{case}: {weights:,} weights, {estimate.memory_bytes / MIB:.0f} MiB estimated, {ratio:.2f} times the peak")


def counted(recipe: Recipe) -> int:
    """Weights of the networks as they are built."""
    with torch.device("meta"):
        cast = build(recipe)
    features = getattr(cast.game, "features", None)
    return sum(count_parameters(network) for network in (cast.generator, cast.critic, features) if network is not None)


def run(recipe: Recipe) -> tuple[Peak, str]:
    """Train to the end in a real runner process; return its peak of memory and the job's id."""
    job = lifecycle.create(train.of_recipe(recipe, None, "estimated"))
    claim = attempts.claim(job.id, "bench")
    assert claim is not None
    runner, memory = RunnerProcess(job.id, claim.fence, get_settings().logs / f"{job.id}.log"), 0
    try:
        while runner.wait(LOOK_S) is None:
            memory = max(memory, resident(runner.pid))
    finally:
        runner.kill()
        runner.close()
    ended = lifecycle.get(job.id)
    if ended.state != JobState.SUCCEEDED:
        raise RuntimeError(f"The job is {ended.state}: {ended.status_reason}")
    kept = sum(file.size for file in lifecycle.checkpoints(job.id)) + sum(
        file.size for file in lifecycle.artifacts(job.id)
    )
    return Peak(memory, kept), job.id


def resident(pid: int) -> int:
    """Return the process's peak so far, in bytes; 0 if it has ended."""
    path = Path(f"/proc/{pid}/status")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


if __name__ == "__main__":
    main()
