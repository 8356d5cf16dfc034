"""Record the losses of every family's first steps, and the figures of some untrained generators.

    python -m tests.golden.record [NAME ...]

Writes tests/golden/curves.json and tests/golden/figures.json: all of both, or only the named families (`dcgan`) and
cases (`dcgan/digits`). Everything is computed in fp32 on one thread with AVX2 on every machine: with other
instructions the last digits differ, and after some steps of a GAN all digits. Record again only if a change is meant to
change them, and look at the difference.
"""

import json
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from app.core.settings import CHECKOUT
from models.spec.families import FAMILIES
from tests.golden.figures import CASES
from tests.support.machines import environment

Values = dict[str, Any]
TABLES: dict[str, Collection[str]] = {"curves": FAMILIES, "figures": CASES}
"""name of the module that computes a table and of its JSON file: the names of its entries"""


def computed(table: str, names: Collection[str]) -> Values:
    """Compute the named entries of a table in a separate process."""
    command = [sys.executable, "-P", "-m", f"tests.golden.{table}", *names]
    finished = subprocess.run(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, check=True)
    values: Values = json.loads(finished.stdout)
    return values


def recorded(table: str) -> Values:
    file = _file(table)
    values: Values = json.loads(file.read_text()) if file.exists() else {}
    return values


def main(names: list[str]) -> None:
    for table, known in TABLES.items():
        selected = [name for name in names if name in known] if names else known
        if selected:
            merged = recorded(table) | computed(table, selected)
            in_order = {name: merged[name] for name in known if name in merged}
            _file(table).write_text(json.dumps(in_order, indent=1) + "\n")


def _file(table: str) -> Path:
    return Path(__file__).with_name(f"{table}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
