"""Command-line options that all benches share."""

import argparse
from pathlib import Path

from bench.results import RESULTS


def parser_of(bench: str, about: str | None, quick: str) -> argparse.ArgumentParser:
    """Return a parser with --quick, whose help is `quick`, and --json. A bench adds its own options."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", type=Path, default=RESULTS / f"{bench}.json", metavar="FILE")
    return parser
