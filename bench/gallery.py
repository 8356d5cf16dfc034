"""Make the default run of each family: its pictures and its cost, for the table of docs/recipes.md.

    python -m bench.gallery [NAME ...]      trains the named families, or all, on one thread
    python -m bench.gallery --table [NAME ...]    prints their lines of the table from the recorded runs

A run is `forger train NAME` without options: the family's default dataset, networks and budget, seed 1. It writes
its last sample into docs/pictures/recipes and its figures into bench/results/gallery. Seconds are the processor time of
one core from the first step to the last report, so that other load on the machine does not matter.
"""

import argparse
import io
import json
import tempfile
import time
from functools import partial
from pathlib import Path

from PIL import Image

from app.core.settings import get_settings
from bench.results import CHECKOUT, RESULTS, Row, write
from data.readers.builtin import load
from models.spec.families import FAMILIES, Family
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from worker.training import numerics as numerics_module
from worker.training.listener import NullListener, StepReport
from worker.training.loop import train

PICTURES = CHECKOUT / "docs" / "pictures" / "recipes"
FIGURES = RESULTS / "gallery"
SEED = 1
WIDTH = 240
"""pixels that a picture has at least; smaller ones are enlarged by whole pixels"""
HEAD = """\
| family | what it is, and when to choose it | paper | dials | command | its default run |
|---|---|---|---|---|---|"""
say = partial(print, flush=True)


class Last(NullListener):
    """A listener that keeps the last report and the processor time of the training until then, in seconds."""

    def __init__(self) -> None:
        self.began = time.process_time()
        self.seconds = 0.0
        self.last: StepReport | None = None

    def report(self, report: StepReport) -> None:
        self.last = report
        self.seconds = time.process_time() - self.began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="families to train (default: all)")
    parser.add_argument("--table", action="store_true", help="print the table instead")
    options = parser.parse_args()
    if options.table:
        print("\n".join([HEAD, *(row(FAMILIES[name]) for name in options.names or FAMILIES)]))
        return
    for name in options.names or FAMILIES:
        measure(name)


def measure(name: str) -> None:
    """Make one default run: write its picture and its figures."""
    _, recipe = resolve(name, seed=SEED)
    numerics = numerics_module.local_numerics("cpu", recipe, threads=1)
    numerics_module.apply(numerics)
    with tempfile.TemporaryDirectory(prefix="forger-gallery-") as folder:
        data = load(recipe.data, get_settings().data)
        watch = Last()
        train(recipe, data, watch, folder=Path(folder), attempt=1, resume=None, numerics=numerics)
    assert watch.last is not None
    assert watch.last.draw is not None
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"{name}.png").write_bytes(_enlarged(watch.last.draw()))
    figures = {"steps": recipe.budget.steps, "seconds": round(watch.seconds, 1)} | watch.last.values
    rows = [Row(name, figure, value) for figure, value in figures.items() if value is not None]
    write("gallery", rows, FIGURES / f"{name}.json", **numerics.as_dict())
    say(f"{name}: {recipe.budget.steps} steps on {recipe.data.dataset} in {watch.seconds:.0f} s")


def row(family: Family) -> str:
    """Return the family's line of the table."""
    _, recipe = resolve(family.name, seed=SEED)
    dials = "<br>".join(f"`{dial.path}` {dial.default:g}" for dial in family.dials)
    command = f"`forger train {family.name}`"
    picture = f"![{family.name}](pictures/recipes/{family.name}.png)<br>{_cost(family.name, recipe)}"
    return f"| {' | '.join([f'`{family.name}`', family.use, family.paper, dials, command, picture])} |"


def _cost(name: str, recipe: Recipe) -> str:
    rows = json.loads((FIGURES / f"{name}.json").read_text())["rows"]
    figures = {row["figure"]: row["value"] for row in rows}
    return f"{figures['steps']:,} steps on {recipe.data.dataset}: {_spoken(figures['seconds'])}"


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _enlarged(png: bytes) -> bytes:
    picture = Image.open(io.BytesIO(png))
    by = max(1, -(-WIDTH // picture.width))
    out = io.BytesIO()
    picture.resize((picture.width * by, picture.height * by), Image.Resampling.NEAREST).save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
