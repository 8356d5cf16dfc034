"""Train on uploaded photographs: faces with a `dcgan`, and streets from dusk to day with a `cyclegan`.

    FORGER_DATA=<folder> python -m bench.uploads [--faces] [--streets] [--quick] [--out FOLDER] [--json FILE]

Needs FORGER_DATA/att_faces (sN/M.pgm) and FORGER_DATA/camvid (with unpaired_A_dusk.txt and unpaired_B_day.txt).
The zips are written from these files and uploaded to a separate real service, which trains on them at 64 px. It leaves
contact sheets of the uploads, generated faces, and held-out streets, each beside its translation.
"""

import argparse
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.settings import get_settings
from bench.results import RESULTS, Row, show, write
from data.images import encode, sheet
from data.prepare import Preparation, prepare
from examples.demo import DEMO, bars, follow, post, service
from forger import Forger
from forger.client import Layout

SIDE = 64
HELD_OUT = 6
"""photographs at the end of each list that are not uploaded; neighbours in a list are neighbours in the film"""
LISTS = {"A": "unpaired_A_dusk.txt", "B": "unpaired_B_day.txt"}
Files = dict[str, Path]
FAST = {"beta1": 0, "beta2": 0.99}
FACES: dict[str, Any] = {
    "recipe": "dcgan",
    "dataset": "faces",
    "seed": 1,
    "overrides": {
        "batch_size": 32,
        "latent": {"size": 64},
        "generator": {"width": 32, "refine": True},
        "critic": {"width": 32, "norm": "none"},
        "penalties": [{"kind": "r1", "weight": 1, "every": 8}],
        "generator_optimizer": {"rate": 5e-4, **FAST},
        "critic_optimizer": {"rate": 1e-3, **FAST},
        "schedule": {"kind": "linear"},
    },
}
"""cdcgan's networks, penalty and rates, without classes"""


def main() -> None:
    options = _options()
    data = get_settings().data
    if data is None:
        raise SystemExit("Set FORGER_DATA to the folder that contains att_faces/ and camvid/.")
    options.out.mkdir(parents=True, exist_ok=True)
    both = not (options.faces or options.streets)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as home, service(Path(home)) as forger:
        if options.faces or both:
            rows += faces(forger, data / "att_faces", options.steps, options.out)
        if options.streets or both:
            rows += streets(forger, data / "camvid", options.steps, options.out)
    show("Trainings on uploads", rows)
    write("uploads", rows, options.json)
    print(f"Pictures are in {options.out}, figures in {options.json}")


def faces(forger: Forger, folder: Path, steps: int, out: Path) -> Iterator[Row]:
    """Train on grey portraits of 92 x 112 pixels without classes; draw 40."""
    files = {f"faces/{path.parent.name}-{path.name}": path for path in sorted(folder.glob("s*/*.pgm"))}
    yield from uploaded(forger, "faces", files, out, "flat")
    yield from trained(forger, "faces", {**FACES, "budget": {"steps": steps}})
    forger.sample(n=40, model="dcgan-faces", seed=1).save(out / "faces.png")


def streets(forger: Forger, folder: Path, steps: int, out: Path) -> Iterator[Row]:
    """Train on photographs of 480 x 360 pixels (A at dusk, B other streets by day); translate held-out ones of both."""
    domains = {domain: _listed(folder, name) for domain, name in LISTS.items()}
    used = {f"streets/{domain}/{path.name}": path for domain, paths in domains.items() for path in paths[:-HELD_OUT]}
    yield from uploaded(forger, "streets", used, out, "unpaired")
    job = {"recipe": "cyclegan", "dataset": "streets", "seed": 1, "budget": {"steps": steps}}
    yield from trained(forger, "streets", job)
    dusk = [pair for path in domains["A"][-HELD_OUT:] for pair in _translated(forger, path, "a2b")]
    day = [pair for path in domains["B"][-HELD_OUT:] for pair in _translated(forger, path, "b2a")]
    cells = np.stack([*dusk, *day]).repeat(3, axis=1).repeat(3, axis=2)
    (out / "streets.png").write_bytes(encode(sheet(cells, columns=4, gap=4)))


def uploaded(forger: Forger, name: str, files: Files, out: Path, layout: Layout) -> Iterator[Row]:
    """Zip and upload the files; save the contact sheet."""
    if not files:
        raise SystemExit(f"The files of the {name} are not below FORGER_DATA; the first lines of this bench name them.")
    archive = out / f"{name}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, path in files.items():
            packed.write(path, member)
    started = time.perf_counter()
    report = forger.upload(archive, name, layout).report
    assert report is not None
    yield Row(name, "pictures", report.pictures)
    yield Row(name, "megabytes", round(report.archive_bytes / 1e6, 1))
    yield Row(name, "upload_s", round(time.perf_counter() - started, 2))
    forger.sheet(name).save(out / f"{name}_sheet.png")
    archive.unlink()


def trained(forger: Forger, name: str, job: dict[str, Any]) -> Iterator[Row]:
    started = time.perf_counter()
    with bars() as progress:
        follow(post(forger, job), progress)
    yield Row(name, "steps", job["budget"]["steps"])
    yield Row(name, "training_s", round(time.perf_counter() - started, 1))


def _listed(folder: Path, name: str) -> Sequence[Path]:
    lines = (folder / name).read_text().split() if (folder / name).is_file() else []
    return [folder / line for line in lines]


def _translated(forger: Forger, path: Path, direction: Literal["a2b", "b2a"]) -> Iterator[NDArray[np.uint8]]:
    """Return a photograph as training sees it, and its translation."""
    with Image.open(path) as photo:
        square = np.asarray(prepare(photo.convert("RGB"), Preparation(SIDE, 3)), np.uint8)
    yield square
    yield np.asarray(forger.translate(encode(square), model="cyclegan-streets", direction=direction).image())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", action="store_true", help="only the faces")
    parser.add_argument("--streets", action="store_true", help="only the streets")
    parser.add_argument("--quick", dest="steps", action="store_const", const=300, default=3000, help="300 steps")
    parser.add_argument("--out", type=Path, default=DEMO / "uploads", metavar="FOLDER", help="folder for the pictures")
    parser.add_argument("--json", type=Path, default=RESULTS / "uploads.json", help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
