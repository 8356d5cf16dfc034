"""Create a home in which a service has trained the model of a bench."""

import io
import zipfile
from pathlib import Path

import numpy as np

from data.images import encode
from examples.demo import service

SIDE, PICTURES = 28, 64
WIDTH = 64
"""width of the generator, as in DCGAN's paper and in PyTorch's example"""


def dcgan_of_noise(folder: Path, steps: int = 20) -> tuple[Path, Path]:
    """Return the home of a service that has trained a DCGAN for 28 px on noise, and the export that it serves."""
    home, upload = folder / "home", folder / "noise.zip"
    upload.write_bytes(_noise())
    with service(home) as forger:
        forger.upload(upload, name="noise")
        # Left to itself a dataset is trained on at the next lower power of two.
        overrides = {"generator": {"width": WIDTH}, "data": {"side": SIDE}}
        job = forger.train("dcgan", dataset="noise", budget={"steps": steps}, seed=1, overrides=overrides)
        job.wait()
        if (drawn := forger.sample(seed=1).image().size) != (SIDE, SIDE):
            raise SystemExit(f"The service draws pictures of {drawn}, not of {SIDE} px: the bench would mislead.")
        export = job.save(job.artifacts("export")[0], folder / "generator.safetensors")
    return home, export


def _noise() -> bytes:
    chance, out = np.random.default_rng(1), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(PICTURES):
            archive.writestr(f"{number}.png", encode(chance.integers(0, 256, (SIDE, SIDE, 1), np.uint8)))
    return out.getvalue()
