"""How far are exported files from what Forger serves, how large are they, and how long does writing them take?

    python -m bench.exports [--quick] [--json FILE]

Writes a model of every family in every format, as GET /models/{name}@{version}/export does, but in this process. Models
have the family's default networks, and untrained weights that draw varied pictures. Figures of each family and format:

- max difference: largest absolute difference of an output number, on the 64 fixed inputs of every program
- mean difference: mean absolute difference, of the program where it is largest
- seconds: to write and measure, once, without the start of a process
- megabytes: of all files of the format
"""

import json
import logging
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.options import parser_of
from bench.results import Row, show, write
from models.spec.families import BUILT_IN
from models.spec.portable import SUFFIXES, PortableFormat
from models.spec.recipe import Recipe
from models.spec.resolve import resolve
from serving.portable import main as portable
from tests.support.exports import write_vivid

LARGE: dict[str, tuple[str, dict[str, Any]]] = {
    "cyclegan, published": ("cyclegan", {"data": {"side": 256}}),
    "pix2pix, published": ("pix2pix", {"data": {"side": 256}}),
}
"""further cases, with their family and overrides"""
QUICK = ("gan", "cdcgan", "pix2pix")


def main() -> None:
    options = parser_of("exports", __doc__, "three families").parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    cases: dict[str, tuple[str, dict[str, Any]]]
    cases = {name: (name, {}) for name in (QUICK if options.quick else BUILT_IN)} | ({} if options.quick else LARGE)
    rows: list[Row] = []
    for name, (family, overrides) in cases.items():
        for format_ in SUFFIXES:
            rows += _measured(f"{name}, {format_}", resolve(family, seed=1, overrides=overrides)[1], format_)
            print(*(f"{row.figure} {row.value:.3g}" for row in rows[-4:]), name, format_, sep="  ", flush=True)
    show("exported files compared with the served networks", rows)
    write("exports", rows, options.json, versions=_versions())


def _measured(case: str, recipe: Recipe, format_: PortableFormat) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        export, folder = Path(name) / "export.safetensors", Path(name) / "files"
        folder.mkdir()
        write_vivid(export, recipe)
        began = time.perf_counter()
        portable.main(export, format_, folder, None)
        seconds = time.perf_counter() - began
        report = json.loads((folder / "report.json").read_text())
    size = sum(facts["bytes"] for facts in report["files"].values())
    return [
        Row(case, "max difference", report["parity"]["max_abs"], None, report["parity"]["inputs"], {}),
        Row(case, "mean difference", report["parity"]["mean_abs"], None, report["parity"]["inputs"], {}),
        Row(case, "seconds", seconds, None, 1, {}),
        Row(case, "megabytes", size / 1e6, None, 1, {}),
    ]


def _versions() -> dict[str, str]:
    return {package: version(package) for package in ("torch", "onnx", "onnxscript", "onnxruntime", "safetensors")}


if __name__ == "__main__":
    main()
