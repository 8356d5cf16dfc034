"""Record the losses of every family's first steps.

    python -m tests.golden.record [FAMILY ...]

Writes tests/golden/curves.json: all families, or only the named ones anew. The losses are those of `small` recipes in
fp32 on one thread, computed with AVX2 on every machine: with other instructions the last digits differ, and after some
steps of a GAN all digits. Record again only where a change is meant to change them, and look at the difference.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from app.core.settings import CHECKOUT
from models.spec.families import FAMILIES
from tests.support.machines import environment

CURVES = Path(__file__).with_name("curves.json")
Curve = dict[str, list[float]]


def curves(families: Iterable[str]) -> dict[str, Curve]:
    """The curves of the families, computed anew by a process of their own."""
    command = [sys.executable, "-P", "-m", "tests.golden.curves", *families]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment(), stdout=subprocess.PIPE, check=True)
    computed: dict[str, Curve] = json.loads(done.stdout)
    return computed


def recorded() -> dict[str, Curve]:
    kept: dict[str, Curve] = json.loads(CURVES.read_text()) if CURVES.exists() else {}
    return kept


def main(names: list[str]) -> None:
    merged = recorded() | curves(names or FAMILIES)
    kept = {name: merged[name] for name in FAMILIES if name in merged}
    CURVES.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
