"""Is anything slower than before? Compare ratios of quick benches with bounds.

    python -m bench.check            # runs the benches: some ten minutes of a quiet machine
    python -m bench.check FILE...    # compares existing results with the bounds

The bounds are on ratios, because other load slows down both sides of a ratio. A bench that misses a bound is run once
more, and its second result counts. Ends with status 1 and a sentence for each bound that was missed.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.results import CHECKOUT, Row

Kind = Literal["at least", "at most"]


@dataclass(frozen=True)
class Bound:
    """A bound on the ratio of a row's figure to the same figure of another system."""

    case: str
    figure: str
    against: str
    kind: Kind
    ratio: float

    def missed_by(self, rows: Iterable[Row]) -> str | None:
        """Return a sentence if the ratio misses the bound; else None."""
        row = next((row for row in rows if (row.case, row.figure) == (self.case, self.figure)), None)
        if row is None or self.against not in row.against:
            return f"'{self.case}' has no {self.figure} against {self.against}: make the bench and BOUNDS agree."
        ratio = row.against[self.against]
        if ratio >= self.ratio if self.kind == "at least" else ratio <= self.ratio:
            return None
        return (
            f"'{self.case}': {self.figure} are {ratio:.2f} of {self.against}; the bound is {self.kind} {self.ratio:g}."
        )


def _speed(case: str, plain: float, limit: float) -> tuple[Bound, Bound]:
    row = f"{case}: forger", "pictures per second"
    return Bound(*row, "plain loop", "at least", plain), Bound(*row, "limit", "at least", limit)


def _rate(clients: int, fastapi: float, limit: float) -> tuple[Bound, Bound]:
    row = f"forger, {clients} clients", "requests per second"
    return Bound(*row, "fastapi", "at least", fastapi), Bound(*row, "limit", "at least", limit)


COMMANDS: dict[str, tuple[str, ...]] = {
    "train_speed": ("--quick",),
    "sample_latency": ("--quick", "--uninstalled"),
    "overload": ("--quick",),
    "start": ("--quick",),
}
BOUNDS: dict[str, tuple[Bound, ...]] = {
    "train_speed": (
        *_speed("DCGAN, 64 px, batch 64", plain=1.6, limit=0.85),
        *_speed("cdcgan, 28 px, batch 64", plain=1.3, limit=0.75),
        *_speed("CycleGAN, 128 px, 6 blocks, batch 1", plain=1.3, limit=0.85),
        *_speed("WGAN-GP, 32 px, batch 64", plain=1.45, limit=0.8),
    ),
    "sample_latency": (
        *_rate(1, fastapi=0.85, limit=0.2),
        *_rate(8, fastapi=1.7, limit=0.42),
        *_rate(32, fastapi=2.0, limit=0.48),
        *_rate(128, fastapi=2.2, limit=0.48),
    ),
    "overload": (Bound("grids refused", "p50 ms", "pictures alone", "at most", 1),),
    "start": (
        Bound("import app.main", "cpu seconds", "import fastapi, uvicorn", "at most", 4),
        Bound("forger serve, a new home", "seconds", "import fastapi, uvicorn", "at most", 10),
        Bound("forger serve, with a model", "seconds", "import torch", "at most", 3.5),
        Bound("API without a model", "RSS MB", "goal 150 MB", "at most", 1),
        Bound("gan on ring8", "seconds", "import torch", "at most", 3.3),
        Bound("cdcgan on digits", "seconds", "import torch", "at most", 3.3),
    ),
}
"""measured values less about a quarter, so that a change of the code misses a bound, but noise does not"""


def missed(bench: str, rows: Sequence[Row]) -> list[str]:
    """Return a sentence for each bound of the bench that its rows miss."""
    return [f"{bench}: {sentence}" for bound in BOUNDS[bench] if (sentence := bound.missed_by(rows))]


def main(files: Sequence[str]) -> int:
    """Check the files, or run the benches; return the exit status."""
    results = [missed(*read(Path(file))) for file in files] if files else [run(bench) for bench in COMMANDS]
    sentences = [sentence for several in results for sentence in several]
    print("\n".join(sentences) or "Every ratio is within its bound.")
    return int(bool(sentences))


def run(bench: str) -> list[str]:
    """Run the bench, once more if it misses a bound; return a sentence for each bound missed in the last run."""
    sentences = missed(bench, measured(bench))
    if sentences:
        print("\n".join([*sentences, f"{bench} is run once more."]), flush=True)
        sentences = missed(bench, measured(bench))
    return sentences


def measured(bench: str) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        command = [sys.executable, "-P", "-m", f"bench.{bench}", *COMMANDS[bench], "--json", str(path)]
        subprocess.run(command, cwd=CHECKOUT, check=True)
        return read(path)[1]


def read(path: Path) -> tuple[str, list[Row]]:
    """Return the bench's name and the rows of a result."""
    if not path.is_file():
        raise SystemExit(f"There is no result {path}: run the bench first, or leave the files out.")
    result = json.loads(path.read_text())
    return result["bench"], [Row(**row) for row in result["rows"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
