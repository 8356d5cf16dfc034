"""How near does the search for a latent come to a picture?

    FORGER_DATA=<folder> python -m bench.inversion [--quick] [--pictures N] [--home DIR] [--json FILE]

A service trains a DCGAN, a VAE and a conditional DCGAN on digits and on MNIST, unless DIR has them already, and
POST /invert searches with its defaults for the latents of pictures:

- own: samples of the model itself, which it can generate
- real: held-out pictures of MNIST; of digits, which has no test split, pictures of the training

Figures, over the pictures of a case: psnr, the mean in dB; worst, the lowest; mse, the mean squared error of pixels on
a scale of 0 to 1, and the worst; seconds, the mean time of a request. A picture that is recovered exactly
counts as EQUAL_DB.
"""

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from app.core.settings import get_settings
from bench.options import parser_of
from bench.results import Row, show, write
from data.images import encode
from data.readers.builtin import load
from examples.demo import service
from forger import Forger, ForgerProblem
from models.spec.data import Images

STEPS = {"digits": 1500, "mnist": 400}
FAMILIES = ("dcgan", "vae", "cdcgan")
EQUAL_DB = 60.0
SEED = 7


@contextmanager
def service_in(home: Path | None) -> Iterator[Forger]:
    """Start a service in a home that is kept, or in a temporary one."""
    with ExitStack() as stack:
        yield stack.enter_context(service(home or Path(stack.enter_context(tempfile.TemporaryDirectory()))))


def main() -> None:
    parser = parser_of("inversion", __doc__, "two pictures of each kind, and short trainings")
    parser.add_argument("--pictures", type=int, default=20, help="of each kind")
    parser.add_argument("--home", type=Path, help="home of the service, which keeps its models")
    options = parser.parse_args()
    n = 2 if options.quick else options.pictures
    rows = list[Row]()
    with service_in(options.home) as forger:
        for dataset in STEPS:
            for family in FAMILIES:
                model = trained(forger, family, dataset, 20 if options.quick else None)
                for kind, pictures in _pictures(forger, model, dataset, n).items():
                    rows += _measured(forger, model, f"{family} on {dataset}, {kind}", pictures)
                    write("inversion", rows, options.json, quick=options.quick)
    show("POST /invert", rows)
    print(f"Written to {options.json}")


def trained(forger: Forger, family: str, dataset: str, steps: int | None) -> str:
    """Return the version of a family on a dataset that the service has; train it for `steps` or STEPS if not."""
    name = f"{family}-{dataset}"
    try:
        return forger.version(f"{name}@1").model
    except ForgerProblem:
        job = forger.train(family, dataset=dataset, budget={"steps": steps or STEPS[dataset]}, seed=1).wait()
        assert job.model is not None
        return job.model


def _pictures(forger: Forger, model: str, dataset: str, n: int) -> dict[str, list[bytes]]:
    """Return PNG files of n samples of the model, and of n real pictures, of every class in turn."""
    spec = forger.version(model).recipe["data"]
    classes = forger.version(model).classes
    own = [forger.sample(number % 10 if classes else None, model=model, seed=SEED + number) for number in range(n)]
    real = real_pictures(dataset, Images.model_validate(spec), n)
    return {"own": [picture.data for picture in own], "real": [encode(picture) for picture in real]}


def real_pictures(dataset: str, spec: Images, n: int) -> list[Any]:
    """Return n pictures, levels [side, side, channels], that the training did not see if there are such."""
    data = load(spec, get_settings().data, "test" if dataset == "mnist" else "train")
    assert data.images is not None
    order = np.random.default_rng(SEED).permutation(len(data.images))[:n]
    return list(data.images[order].permute(0, 2, 3, 1).numpy())


def _measured(forger: Forger, model: str, case: str, pictures: list[bytes]) -> Iterator[Row]:
    ratios, errors, seconds = [], [], []
    for picture in pictures:
        began = time.monotonic()
        found = forger.invert(picture, model=model)
        seconds.append(time.monotonic() - began)
        errors.append(found.mse)
        ratios.append(EQUAL_DB if found.psnr is None else found.psnr)
    n = len(pictures)
    print(f"{case}: {mean(ratios):.1f} dB, worst {min(ratios):.1f}, {mean(seconds):.1f} s", flush=True)
    yield Row(case, "psnr", mean(ratios), stdev(ratios) / n**0.5, n)
    yield Row(case, "worst", min(ratios), n=n)
    yield Row(case, "mse", mean(errors), stdev(errors) / n**0.5, n)
    yield Row(case, "worst mse", max(errors), n=n)
    yield Row(case, "seconds", mean(seconds), stdev(seconds) / n**0.5, n)


if __name__ == "__main__":
    main()
