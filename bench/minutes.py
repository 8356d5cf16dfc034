"""Do trainings take the minutes that a dry run estimates?

    python -m bench.minutes [--quick] [--json FILE] [FAMILY ...]

A service with a new home estimates the minutes of ten families, each with its default budget. No family has been
trained there, so the estimates come only from the machine's speed. Then it trains them one after the other. Figures:

- estimated, took: minutes from a job's start to its end
- ratio: the larger over the smaller
"""

import tempfile
from pathlib import Path
from typing import Any

from bench.options import parser_of
from bench.results import Row, show, write
from examples.demo import service
from forger import Forger

TEN = ("gan", "dcgan", "cdcgan", "acgan", "began", "stackgan", "r3gan", "srgan", "gumbel_gan", "pix2pix")
FEW = ("gan", "cdcgan", "srgan")


def main() -> None:
    parser = parser_of("minutes", __doc__, "3 families instead of 10")
    parser.add_argument("families", nargs="*", metavar="FAMILY")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as forger:
        rows = measure(forger, options.families or (FEW if options.quick else TEN))
    show("Minutes estimated and taken", rows)
    write("minutes", rows, options.json)
    print(f"Within a factor of {max(row.value for row in rows if row.figure == 'ratio'):.2f}. In {options.json}")


def measure(forger: Forger, families: tuple[str, ...]) -> list[Row]:
    rows = []
    for family, estimated in {family: _estimated(forger, family) for family in families}.items():
        took = _took(forger.train(family).wait())
        print(f"{family}: {estimated:.2f} minutes estimated, {took:.2f} taken", flush=True)
        figures = {"estimated": estimated, "took": took, "ratio": max(estimated, took) / min(estimated, took)}
        rows += [Row(family, name, value) for name, value in figures.items()]
    return rows


def _estimated(forger: Forger, family: str) -> float:
    estimate = forger.dry_run(family).estimate
    assert estimate is not None
    assert estimate.minutes is not None, "there is no estimate on a GPU that has trained nothing"
    return estimate.minutes


def _took(job: Any) -> float:
    reply = job.reply
    assert reply.state == "succeeded", reply.status_reason
    minutes: float = (reply.finished_at - reply.started_at) / 60
    return minutes


if __name__ == "__main__":
    main()
