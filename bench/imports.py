"""Do imported files compute what they computed in their own projects, and what do they take?

    python -m bench.imports [--quick] [--json FILE]

Each layout of tests/support/import_layouts.py is built in plain torch at its published width, with weights from a seed,
saved, read in the service's sandbox, and tried as POST /models/import tries it. Figures:

- parameters: weights of the generator
- difference: largest difference of its pictures in [-1, 1] from those of the plain network, fp32; at most 1e-5
- seconds and MiB: shortest time and memory of the trial, in which one picture of 256 x 256 is translated, or one
  is drawn, on one thread
"""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from app.core.sandbox.parent import Sandbox
from app.core.settings import get_settings
from app.services.models.imports import CHILD_BYTES, TASKS, TRIAL_S
from bench.options import parser_of
from bench.results import Row, show, write
from tests.support.import_layouts import LAYOUTS, MAX_DIFFERENCE, Layout, parity

PUBLISHED_WIDTH, QUICK_WIDTH = 64, 8


def main() -> None:
    options = parser_of("imports", __doc__, f"networks {QUICK_WIDTH} channels wide").parse_args()
    width = QUICK_WIDTH if options.quick else PUBLISHED_WIDTH
    rows = [row for name, layout in LAYOUTS.items() for row in tried(name, layout, width)]
    show("imported files", rows)
    write("imports", rows, options.json, width=width)
    if worst := [row.case for row in rows if row.figure == "difference" and row.value > MAX_DIFFERENCE]:
        raise SystemExit(f"More than {MAX_DIFFERENCE} from the pictures of their own projects: {', '.join(worst)}")


def tried(name: str, layout: Layout, width: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        result = parity(layout, width, Path(folder))
        trial = _trial(Path(folder) / "weights.forger")
    yield Row(name, "parameters", result.parameters)
    yield Row(name, "difference", result.difference)
    yield Row(name, "seconds", trial["seconds"])
    yield Row(name, "MiB", trial["memory_bytes"] / 2**20)


def _trial(export: Path) -> dict[str, Any]:
    with closing(Sandbox(1, CHILD_BYTES, readable=(export.parent,), module=TASKS)) as child:
        pixels = get_settings().max_pixels
        trial: dict[str, Any] = child.run("trial", export, pixels, seconds=TRIAL_S, cpu_seconds=TRIAL_S)["trial"]
        return trial


if __name__ == "__main__":
    main()
