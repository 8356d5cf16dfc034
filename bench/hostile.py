"""How much memory does the API need while hostile files are thrown at it?

    python -m bench.hostile [--quick] [--json FILE]

A real service; every file is sent by several clients at once, again and again. Figures of each case:

- api_mb: peak resident memory of the API process, in MB of 10^6 bytes (the first case is its rest)
- decoder_mb: the same of the largest of the child processes that decode
- status: what it answered; a case whose replies differ shows the largest
"""

import argparse
import io
import struct
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
from PIL import Image

from bench.results import RESULTS, Row, show, write
from examples.demo import service

CLIENTS = 4
SAMPLED_S = 0.002
TRANSLATOR: dict[str, Any] = {
    "recipe": "cyclegan",
    "dataset": "day2night",
    "budget": {"steps": 2},
    "overrides": {"generator": {"width": 8}, "batch_size": 1},
}
Send = Callable[[httpx2.Client], httpx2.Response]


@dataclass(frozen=True)
class Case:
    """One kind of attack and how often it comes."""

    name: str
    send: Send
    times: int


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as folder, service(Path(folder)) as forger:
        forger.train(**TRANSLATOR).wait()  # something that translates, so that pictures are decoded at all
        client = httpx2.Client(base_url=forger.url, timeout=120)
        api = _api()
        rows = [row for case in cases(options.times) for row in measure(case, client, api)]
    show("The API under hostile uploads", rows)
    write("hostile", rows, options.json, clients=CLIENTS)
    print(f"Written to {options.json}")


def cases(times: int) -> Iterator[Case]:
    """Every attack `times` times; `at rest` first, which also warms the model."""
    yield Case("at rest: a small picture", translated(encoded(Image.new("RGB", (64, 64), "teal"))), times)
    yield Case("13000 x 13000 PNG", translated(flat_png(13_000, 13_000)), times)
    yield Case("60000 x 60000 TIFF header", translated(tiff_header(60_000, 60_000)), times)
    yield Case("5000 x 5000 of one colour", translated(flat_png(5_000, 5_000)), 1)
    yield Case("PNG with 64 MB of text", translated(png_with_text(64 << 20)), times)
    yield Case("noise named .png", translated(np.random.default_rng(1).bytes(1 << 20)), times)
    yield Case("200 MB in pieces", lambda client: client.post("/translate", content=_pieces(200), headers=FORM), times)
    yield Case("zip of 1 GiB of zeros", uploaded(archive([("a/big.png", 1 << 30)])), times)
    yield Case("zip of 100,000 names", uploaded(archive([(f"a/{n}.png", 0) for n in range(100_000)])), 1)
    yield Case("zip of 13000 x 13000 PNGs", uploaded(zipped_pictures(8)), 1)


FORM = {"content-type": "multipart/form-data; boundary=x"}


def translated(data: bytes) -> Send:
    return lambda client: client.post("/translate", files={"file": ("x.png", data)})


def uploaded(data: bytes) -> Send:
    return lambda client: client.post("/datasets", files={"file": ("x.zip", data)}, data={"name": "hostile"})


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def flat_png(width: int, height: int) -> bytes:
    """RGB, all zero: about a thousandth of its pixels' bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def png_with_text(size: int) -> bytes:
    plain = encoded(Image.new("RGB", (64, 64)))
    text = _chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(bytes(size), 9))
    return plain[:33] + text + plain[33:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff_header(width: int, height: int) -> bytes:
    """Claims its size and points nowhere."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (278, height), (279, 1 << 31)]
    body = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\x00" + struct.pack("<IH", 8, len(entries)) + body + bytes(4)


def archive(members: Sequence[tuple[str, int]]) -> bytes:
    """Members of so many zero bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, size in members:
            with file.open(name, "w") as member:
                for start in range(0, size, 1 << 20):
                    member.write(bytes(min(1 << 20, size - start)))
    return out.getvalue()


def zipped_pictures(count: int) -> bytes:
    out, picture = io.BytesIO(), flat_png(13_000, 13_000)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(count):
            file.writestr(f"a/{number}.png", picture)
    return out.getvalue()


def _pieces(megabytes: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for _ in range(megabytes):
        yield bytes(1_000_000)


def measure(case: Case, client: httpx2.Client, api: psutil.Process) -> Iterator[Row]:
    with Watch(api) as watch, ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(lambda _: _status(case.send, client), range(case.times)))
    yield Row(case.name, "api_mb", round(watch.api / 1e6, 1), n=case.times)
    yield Row(case.name, "decoder_mb", round(watch.child / 1e6, 1), n=case.times)
    yield Row(case.name, "status", max(statuses), n=case.times)


def _status(send: Send, client: httpx2.Client) -> int:
    """A server may hang up on a body that is too long before it is sent: that counts as its 413."""
    try:
        return send(client).status_code
    except (httpx2.WriteError, httpx2.RemoteProtocolError, httpx2.ReadError):
        return 413


class Watch:
    """Peak resident bytes of a process, and of the largest of its children, while the block runs."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.api = self.child = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLED_S):
            self.api = max(self.api, _resident(self._process))
            children = self._process.children(recursive=True)
            self.child = max([self.child, *(_resident(child) for child in children)])


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _api() -> psutil.Process:
    """The service is our only child that serves."""
    return next(process for process in psutil.Process().children(recursive=True) if "uvicorn" in process.cmdline())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", dest="times", action="store_const", const=4, default=20, help="4 of each, not 20")
    parser.add_argument("--json", type=Path, default=RESULTS / "hostile.json", help="where the figures are written")
    return parser.parse_args()


if __name__ == "__main__":
    main()
