"""How near do the hidden pixels of a picture come that POST /inpaint fills by a search?

    FORGER_DATA=<folder> python -m bench.inpainting [--quick] [--pictures N] [--home DIR] [--json FILE]

A service trains the models of bench.inversion on MNIST, unless DIR has them already. Of test pictures the centre third
of both sides is hidden and filled with the defaults of POST /inpaint.

Figures, over the pictures of a case: psnr, the mean in dB of the hidden pixels; worst, the lowest; known psnr, the mean
in dB of the found sample in the known pixels; seconds, the mean time of a request. `mean` stands for filling with the
mean of the known pixels.
"""

import base64
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.services.inference.inversion import psnr
from bench.inversion import EQUAL_DB, FAMILIES, real_pictures, service_in, trained
from bench.options import parser_of
from bench.results import Row, show, write
from data.images import encode
from forger import Forger
from models.spec.data import Images

Array = NDArray[Any]
DATASET = "mnist"


def main() -> None:
    parser = parser_of("inpainting", __doc__, "two pictures, and short trainings")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--home", type=Path, help="home of the service, which keeps its models")
    options = parser.parse_args()
    n = 2 if options.quick else options.pictures
    rows = list[Row]()
    with service_in(options.home) as forger:
        for family in FAMILIES:
            model = trained(forger, family, DATASET, 20 if options.quick else None)
            pictures = real_pictures(DATASET, Images.model_validate(forger.version(model).recipe["data"]), n)
            if not rows:
                rows += _figures("mean", [_difference(picture, _with_mean(picture)) for picture in pictures])
            rows += _measured(forger, model, f"{family} on {DATASET}", pictures)
            write("inpainting", rows, options.json, quick=options.quick)
    show("POST /inpaint", rows)
    print(f"Written to {options.json}")


def hole_of(picture: Array) -> Array:
    """Return where a picture [side, side, c] is hidden: true in the centre third of both sides."""
    hole, third = np.zeros(picture.shape[:2], bool), picture.shape[0] // 3
    hole[third : 2 * third, third : 2 * third] = True
    return hole


def _with_mean(picture: Array) -> Array:
    hole = hole_of(picture)
    return np.where(hole[..., None], picture[~hole].mean(0).round(), picture)


def _difference(picture: Array, filled: Array) -> float:
    """Return the PSNR of the hidden pixels in dB."""
    hole = hole_of(picture)
    ratio = psnr(float(np.square((picture.astype(float) - filled) / 255)[hole].mean()))
    return EQUAL_DB if ratio is None else ratio


def _measured(forger: Forger, model: str, case: str, pictures: Sequence[Array]) -> Iterator[Row]:
    ratios, known, seconds = [], [], []
    for picture in pictures:
        began = time.monotonic()
        found = forger.inpainting(encode(picture), Image.fromarray(hole_of(picture)), model=model)
        seconds.append(time.monotonic() - began)
        with Image.open(io.BytesIO(base64.b64decode(found.image))) as image:
            ratios.append(_difference(picture, np.asarray(image).reshape(picture.shape)))
        known.append(EQUAL_DB if found.psnr is None else found.psnr)
    n = len(pictures)
    print(f"{case}: {mean(ratios):.1f} dB, known {mean(known):.1f} dB, {mean(seconds):.1f} s", flush=True)
    yield from _figures(case, ratios)
    yield Row(case, "known psnr", mean(known), stdev(known) / n**0.5, n)
    yield Row(case, "seconds", mean(seconds), stdev(seconds) / n**0.5, n)


def _figures(case: str, ratios: Sequence[float]) -> Iterator[Row]:
    n = len(ratios)
    yield Row(case, "psnr", mean(ratios), stdev(ratios) / n**0.5, n)
    yield Row(case, "worst", min(ratios), n=n)


if __name__ == "__main__":
    main()
