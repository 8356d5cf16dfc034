"""Do generated pictures help a classifier? Augmentations of digits, of few digits of MNIST, and of CIFAR-10's subset.

    FORGER_DATA=<folder> python -m bench.augmentation [--quick] [--json FILE]

Each case is one POST /augmentations to a service of its own: it trains cdcgan on the real training pictures of the
case, keeps as many generated pictures of each class as the case says, and compares classifiers on held-out real
pictures, over five seeds. MNIST and CIFAR-10 are uploaded with the first 20, 50 or 200 pictures of each class as
training pictures, and with 100 or 60 pictures of each class from the test split, at 16 px. A case whose pictures are
missing is left out. A finished case is kept in bench/cache, so that an interrupted bench continues.

Figures: accuracy on held-out pictures with real pictures alone, generated ones alone, both, and real ones moved, turned
and scaled; each with the deviation over the seeds. gain: that of both over real, with low and high, the ends of its
95 % interval. useful: 1 if that interval lies above zero. kept and drawn: generated pictures that passed the
filter, and those that it saw.
"""

import hashlib
import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.core.settings import get_settings
from bench.options import parser_of
from bench.results import Row, show, write
from data.images import encode
from data.readers.base import Split
from data.readers.builtin import load
from examples.demo import service
from forger import Forger
from forger.schemas.augmentations import AugmentationReport
from models.spec.data import Images
from models.spec.datasets import DATASETS

CACHE = Path(__file__).parent / "cache" / "augmentation"
SEEDS, CLASSIFIER_STEPS = 5, 200
HELD_OUT_PER_CLASS = 100
SIDE = 16
"""side in pixels of uploaded pictures: five cases then take half an hour of one core"""
CIFAR_FOLDER = "cifar10-subset"
QUICK = {"budget": {"steps": 20}, "per_class": 20, "seeds": 3, "classifier_steps": 20}


@dataclass(frozen=True, slots=True)
class Case:
    """One augmentation: `real` pictures of each class of `source`, None for all, and the request.

    `side` is that of the pictures; None: the dataset's own.
    """

    name: str
    source: str
    real: int | None
    per_class: int
    steps: int
    side: int | None = None

    @property
    def request(self) -> dict[str, Any]:
        return {
            "per_class": self.per_class,
            "budget": {"steps": self.steps},
            "seeds": SEEDS,
            "classifier_steps": CLASSIFIER_STEPS,
            **({} if self.side is None else {"overrides": {"data": {"side": self.side}}}),
        }


CASES = (
    Case("digits, 144 a class", "digits", None, 100, 500),
    Case("MNIST, 20 a class", "mnist", 20, 100, 300, SIDE),
    Case("MNIST, 50 a class", "mnist", 50, 100, 300, SIDE),
    Case("MNIST, 200 a class", "mnist", 200, 100, 300, SIDE),
    Case("CIFAR-10 subset, 50 a class", CIFAR_FOLDER, 50, 100, 300, SIDE),
)


def main() -> None:
    options = parser_of("augmentation", __doc__, "few steps and three seeds: does it run?").parse_args()
    rows: list[Row] = []
    for case in CASES:
        started = time.monotonic()
        report = measured(case, quick=options.quick)
        if report is None:
            print(f"{case.name}: left out, its pictures are not in FORGER_DATA", flush=True)
            continue
        print(f"{case.name}: {report.verdict} ({time.monotonic() - started:.0f} s)", flush=True)
        rows += figures(case, report)
    show("Augmentation", rows)
    write("augmentation", rows, options.json, quick=options.quick)
    print(f"Written to {options.json}")


def measured(case: Case, *, quick: bool) -> AugmentationReport | None:
    """Return the report of a case, kept from an earlier run if there is one; None if its pictures are missing."""
    request = case.request | (QUICK if quick else {})
    mark = hashlib.sha256(json.dumps([case.source, case.real, request]).encode()).hexdigest()[:16]
    path = CACHE / f"{mark}.json"
    if path.is_file():
        return AugmentationReport.model_validate_json(path.read_bytes())
    if case.source != "digits" and not ((get_settings().data or Path()) / case.source).is_dir():
        return None
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as folder, service(Path(folder) / "home") as forger:
        report = _augmented(forger, case, Path(folder) / "pictures.zip", request)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(report.model_dump_json(indent=2))
    return report


def _augmented(forger: Forger, case: Case, archive: Path, request: dict[str, Any]) -> AugmentationReport:
    dataset = case.source
    if case.real is not None:
        with zipfile.ZipFile(archive, "w") as out:
            for name, content in members(case):
                out.writestr(name, content)
        dataset = forger.upload(archive, name="few").name
    job = forger.augment(dataset, recipe="cdcgan", **request).wait()
    report = forger.augmentation(job.id).report
    if report is None:
        raise SystemExit(f"{case.name}: the job {job.state}: {job.reply.status_reason}")
    return report


def members(case: Case) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of the pictures of a case: the first of each class, of both splits."""
    assert case.real is not None
    if case.source == CIFAR_FOLDER:
        root = (get_settings().data or Path()) / CIFAR_FOLDER
        for split, most in (("train", case.real), ("test", HELD_OUT_PER_CLASS)):
            for folder in sorted((root / split).iterdir()):
                for path in sorted(folder.iterdir())[:most]:
                    yield f"{split}/{folder.name}/{path.name}", path.read_bytes()
        return
    info = DATASETS[case.source]
    splits: tuple[tuple[Split, int], ...] = (("train", case.real), ("test", HELD_OUT_PER_CLASS))
    for name, most in splits:
        spec = Images(dataset=case.source, side=info.side, channels=info.channels, classes=info.classes)
        data = load(spec, get_settings().data, name)
        assert data.images is not None
        assert data.labels is not None
        labels = data.labels.numpy()
        for label in range(info.classes):
            for row in np.flatnonzero(labels == label)[:most]:
                yield f"{name}/{label}/{row:05d}.png", encode(data.images[int(row)].permute(1, 2, 0).numpy())


def figures(case: Case, report: AugmentationReport) -> Iterator[Row]:
    """Yield the figures of a report."""
    for arm, accuracy in report.accuracy.items():
        yield Row(case.name, arm, accuracy.mean, accuracy.deviation, report.seeds)
    if "both" in report.gains:
        gain = report.gains["both"]
        yield Row(case.name, "gain", gain.mean, n=report.seeds)
        yield Row(case.name, "low", gain.low)
        yield Row(case.name, "high", gain.high)
    yield Row(case.name, "useful", float(report.useful))
    yield Row(case.name, "kept", float(sum(one.kept for one in report.classes)))
    yield Row(case.name, "drawn", float(sum(one.generated for one in report.classes)))


if __name__ == "__main__":
    main()
