"""What do uploaded photographs become: faces drawn by a `dcgan`, and dusk turned into day by a `cyclegan`?

    FORGER_DATA=<folder> python -m bench.uploads [--faces] [--streets] [--steps N] [--out FOLDER]

Needs FORGER_DATA/att_faces (sN/M.pgm) and FORGER_DATA/camvid (with unpaired_A_dusk.txt and unpaired_B_day.txt).
The zips are made of these files, uploaded to a real service with a home of its own, and learned there at 64 px.
Pictures: contact sheets of the uploads, drawn faces, and streets that were held out, each beside its translation.
"""

import argparse
import io
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.core.settings import get_settings
from bench.results import RESULTS, Row, show, write
from examples.demo import bars, follow, post_job, service
from models.picture import encode, sheet
from models.preparing import prepare

SIDE = 64
HELD_OUT = 6
"""photographs at the end of each list that are not uploaded: neighbours in a list are neighbours in the film"""
LISTS = {"A": "unpaired_A_dusk.txt", "B": "unpaired_B_day.txt"}
Files = dict[str, Path]


def main() -> None:
    options = _options()
    data = get_settings().data
    if data is None:
        raise SystemExit("Set FORGER_DATA to the folder that holds att_faces/ and camvid/.")
    options.out.mkdir(parents=True, exist_ok=True)
    both = not (options.faces or options.streets)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as home, service(Path(home)) as client:
        if options.faces or both:
            rows += faces(client, data / "att_faces", options.steps or 4000, options.out)
        if options.streets or both:
            rows += streets(client, data / "camvid", options.steps or 4000, options.out)
    show("Uploads, learned", rows)
    write("uploads", rows, options.out / "uploads.json")
    print(f"Pictures and figures are in {options.out}")


def faces(client: httpx2.Client, folder: Path, steps: int, out: Path) -> Iterator[Row]:
    """Grey portraits of 92 x 112 pixels, all in one pile; 64 drawn ones."""
    files = {f"faces/{path.parent.name}-{path.name}": path for path in sorted(folder.glob("s*/*.pgm"))}
    yield from uploaded(client, "faces", files, out, layout="flat")
    job = {"recipe": "dcgan", "dataset": "faces", "seed": 1, "budget": {"steps": steps}}
    yield from trained(client, "faces", job)
    drawn = client.get("/sample?model=dcgan-faces&n=64&seed=1&truncation=0.8")
    (out / "faces.png").write_bytes(_ok(drawn).content)


def streets(client: httpx2.Client, folder: Path, steps: int, out: Path) -> Iterator[Row]:
    """Photographs of 480 x 360 pixels: A at dusk, B by day, of other streets; held-out ones of both, translated."""
    piles = {pile: _listed(folder, name) for pile, name in LISTS.items()}
    used = {f"streets/{pile}/{path.name}": path for pile, paths in piles.items() for path in paths[:-HELD_OUT]}
    yield from uploaded(client, "streets", used, out)
    job = {"recipe": "cyclegan", "dataset": "streets", "seed": 1, "budget": {"steps": steps}}
    yield from trained(client, "streets", job)
    dusk = [pair for path in piles["A"][-HELD_OUT:] for pair in _translated(client, path, "a2b")]
    day = [pair for path in piles["B"][-HELD_OUT:] for pair in _translated(client, path, "b2a")]
    cells = np.stack([*dusk, *day]).repeat(3, axis=1).repeat(3, axis=2)
    (out / "streets.png").write_bytes(encode(sheet(cells, columns=4, gap=4)))


def uploaded(client: httpx2.Client, name: str, files: Files, out: Path, **fields: str) -> Iterator[Row]:
    """Zips and uploads the files; keeps the contact sheet."""
    if not files:
        raise SystemExit(f"The files of the {name} are not below FORGER_DATA; the first lines of this bench name them.")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for member, path in files.items():
            packed.write(path, member)
    started = time.perf_counter()
    reply = client.post("/datasets", files={"file": archive.getvalue()}, data={"name": name} | fields)
    body: dict[str, Any] = _ok(reply).json()
    yield Row(name, "pictures", body["report"]["pictures"])
    yield Row(name, "megabytes", round(body["report"]["archive_bytes"] / 1e6, 1))
    yield Row(name, "upload_s", round(time.perf_counter() - started, 2))
    (out / f"{name}_sheet.png").write_bytes(_ok(client.get(f"/datasets/{name}/sheet")).content)


def trained(client: httpx2.Client, name: str, body: dict[str, Any]) -> Iterator[Row]:
    started = time.perf_counter()
    with bars() as progress:
        follow(client, post_job(client, body), progress)
    yield Row(name, "steps", body["budget"]["steps"])
    yield Row(name, "training_s", round(time.perf_counter() - started, 1))


def _listed(folder: Path, name: str) -> Sequence[Path]:
    lines = (folder / name).read_text().split() if (folder / name).is_file() else []
    return [folder / line for line in lines]


def _translated(client: httpx2.Client, path: Path, direction: str) -> Iterator[NDArray[np.uint8]]:
    """A photograph as training would see it, and in the other style."""
    with Image.open(path) as photo:
        square = prepare(photo.convert("RGB"), SIDE, 3)
    fields = {"model": "cyclegan-streets", "direction": direction}
    reply = _ok(client.post("/translate", files={"file": encode(square)}, data=fields))
    yield square
    yield np.asarray(Image.open(io.BytesIO(reply.content)))


def _ok(reply: httpx2.Response) -> httpx2.Response:
    if reply.status_code not in (200, 201):
        raise SystemExit(reply.text)
    return reply


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", action="store_true", help="only the faces")
    parser.add_argument("--streets", action="store_true", help="only the streets")
    parser.add_argument("--steps", type=int, metavar="N", help="steps of training (default 4000)")
    parser.add_argument("--out", type=Path, default=RESULTS / "uploads", metavar="FOLDER", help="where pictures go")
    return parser.parse_args()


if __name__ == "__main__":
    main()
