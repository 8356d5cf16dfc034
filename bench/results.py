"""Write the result of a bench as one JSON object, and print its rows as a table.

python -m bench.results FILE    prints the table of a result as Markdown, for docs/benchmarks.md
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
CHECKOUT = Path(__file__).parents[1]
OLD_FIGURES = {"told": "estimated", "told_at": "reported_at"}
"""by name in recorded results, the name now"""


@dataclass(frozen=True)
class Row:
    """One figure of one case: its value over n trials, its standard error if known, and the values to compare with."""

    case: str
    figure: str
    value: float
    spread: float | None = None
    n: int | None = None
    against: dict[str, float] = field(default_factory=dict)


def write(bench: str, rows: Sequence[Row], path: Path, **settings: Any) -> None:
    """Write one JSON object: the bench, its commit, machine, versions and date, and the rows."""
    result = {
        "bench": bench,
        "commit": _commit(),
        "device": device() | settings,
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("torch", "numpy")},
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "rows": [asdict(row) for row in rows],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def show(title: str, rows: Sequence[Row]) -> None:
    """Print a table with a row for each case and a column for each figure."""
    figures = list(dict.fromkeys(row.figure for row in rows))
    table = Table("case", *figures, title=title)
    for case in dict.fromkeys(row.case for row in rows):
        values = {row.figure: f"{row.value:.4g}" for row in rows if row.case == case}
        table.add_row(case, *(values.get(figure, "") for figure in figures))
    Console().print(table)


def markdown(path: Path) -> str:
    """Return a result's table: a row for each case, a column for each figure, each value with its spread."""
    stored = json.loads(path.read_text())["rows"]
    rows = [Row(**row | {"figure": OLD_FIGURES.get(row["figure"], row["figure"])}) for row in stored]
    figures = list(dict.fromkeys(row.figure for row in rows))
    lines = [f"| case | {' | '.join(figures)} |", "|---" * (1 + len(figures)) + "|"]
    for case in dict.fromkeys(row.case for row in rows):
        cells = {row.figure: _cell(row) for row in rows if row.case == case}
        lines.append(f"| {case} | {' | '.join(cells.get(figure, '') for figure in figures)} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    whole = float(row.value).is_integer()
    value = f"{row.value:,.0f}" if whole or abs(row.value) >= 1000 else f"{row.value:.3g}"
    return value if row.spread is None else f"{value} ± {row.spread:.2g}"


def device() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


def _commit() -> str:
    """Return the commit that was measured, with a plus sign if files have changed since."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty=+", "--abbrev=12"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


if __name__ == "__main__":
    print(markdown(Path(sys.argv[1])))
