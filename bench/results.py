"""What a bench leaves: one JSON object, and the same rows as a table.

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


@dataclass(frozen=True)
class Row:
    """One figure of one case: its value over n trials, its standard error where known, what it is held against."""

    case: str
    figure: str
    value: float
    spread: float | None = None
    n: int | None = None
    against: dict[str, float] = field(default_factory=dict)


def write(bench: str, rows: Sequence[Row], path: Path, **settings: Any) -> None:
    """One JSON object: what was run, where, when, and the rows."""
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
    """Cases downwards, figures across, and what each is held against below."""
    figures = list(dict.fromkeys(row.figure for row in rows))
    table = Table("case", *figures, title=title)
    for case in dict.fromkeys(row.case for row in rows):
        values = {row.figure: f"{row.value:.4g}" for row in rows if row.case == case}
        table.add_row(case, *(values.get(figure, "") for figure in figures))
    Console().print(table)


def markdown(path: Path) -> str:
    """Of a result's file: cases downwards, figures across, each with the spread behind it."""
    rows = [Row(**row) for row in json.loads(path.read_text())["rows"]]
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
    """The commit that was measured, with a plus sign when files had changed since."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty=+", "--abbrev=12"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"


if __name__ == "__main__":
    print(markdown(Path(sys.argv[1])))
