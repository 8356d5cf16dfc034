"""How much memory does the API need while clients attack it, and does it serve others meanwhile?

    python -m bench.hostile [--quick] [--json FILE]

Each attack on a real service comes from several clients at the same time, again and again. Figures of each case:

- seconds: until all of them had a reply or were disconnected
- livez_ms: the longest response time of /livez meanwhile, for another client that sends fifty requests per second
- api_mb: peak resident memory of the API process, in MB of 10^6 bytes (the first case is the API at rest)
- decoder_mb: the same for the largest of the child processes that decode
- status: the status of the replies, the largest if they differ; 0 means no reply in time
"""

import argparse
import io
import struct
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psutil
from PIL import Image

from bench import attacks
from bench.attacks import Alive, Attack, status_of
from bench.results import RESULTS, Row, show, write
from examples.demo import service

CLIENTS = 4
SAMPLED_S = 0.01
TRANSLATOR: dict[str, Any] = {
    "recipe": "cyclegan",
    "dataset": "day2night",
    "budget": {"steps": 2},
    "overrides": {"generator": {"width": 8}, "batch_size": 1},
}
LONG_LOG: dict[str, Any] = {
    "recipe": "gan",
    "dataset": "ring8",
    "budget": {"steps": 2000},
    "overrides": {"report_every": 1, "batch_size": 8},
}


@dataclass(frozen=True)
class Case:
    """One kind of attack and how often it comes."""

    name: str
    send: Attack
    times: int


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="forger-bench-") as folder, service(Path(folder)) as forger:
        forger.train(**TRANSLATOR).wait()  # something that translates, so that pictures are decoded at all
        log = forger.train(**LONG_LOG).wait().id
        client = httpx2.Client(base_url=forger.url, timeout=120)
        api = _api()
        rows = [row for case in cases(options.times, log) for row in measure(case, client, api)]
    show("The API under attack", rows)
    write("hostile", rows, options.json, clients=CLIENTS)
    print(f"Written to {options.json}")


def cases(times: int, log: str) -> Iterator[Case]:
    """Make every attack `times` times; `at rest` comes first and warms the model. `log` is a job with many events."""
    yield Case("at rest: a small picture", translated(encoded(Image.new("RGB", (64, 64), "teal"))), times)
    yield Case("13000 x 13000 PNG", translated(flat_png(13_000, 13_000)), times)
    yield Case("60000 x 60000 TIFF header", translated(tiff_header(60_000, 60_000)), times)
    yield Case("5000 x 5000 of one colour", translated(flat_png(5_000, 5_000)), 1)
    yield Case("PNG with 64 MB of text", translated(png_with_text(64 << 20)), times)
    yield Case("noise named .png", translated(np.random.default_rng(1).bytes(1 << 20)), times)
    yield Case("200 MB in pieces", _in_pieces, times)
    yield Case("zip of 1 GiB of zeros", uploaded(archive([("a/big.png", 1 << 30)])), times)
    yield Case("zip of 100,000 names", uploaded(archive([(f"a/{n}.png", 0) for n in range(100_000)])), 1)
    yield Case("zip of 13000 x 13000 PNGs", uploaded(zip_of(flat_png(13_000, 13_000), 8)), 1)
    yield Case("24 MiB of trailers", attacks.trailers(24 << 20), times)
    yield Case("a trailer of 24 MiB", attacks.a_long_trailer(24 << 20), times)
    yield Case("80,000 unknown fields", attacks.unknown_fields(80_000), times)
    yield Case("19,000 unknown fields", attacks.unknown_fields(19_000), times)
    yield Case("19,000 in each of 200 cases", attacks.experiment_of_unknown_fields(19_000, 200), times)
    yield Case("300 half-sent heads", attacks.half_sent_heads, 1)
    yield Case("4 stalled uploads", attacks.stalled_uploads, 1)
    yield Case("500 streams of a long log", attacks.event_streams(log), 1)
    yield Case("5000 x 5000 JPEG of 1500 scans", translated(jpeg_of_scans(5_000, 5_000, 1_500)), times)
    yield Case("5000 x 5000 JPEG of 64 scans", translated(jpeg_of_scans(5_000, 5_000, 64)), 1)
    yield Case("5000 x 5000 interlaced PNG", translated(interlaced_png(5_000, 5_000)), 1)
    yield Case("5000 x 5000 PGM of 255 greys", translated(b"P5 5000 5000 254 " + bytes(25_000_000)), CLIENTS)
    yield Case("zip of false sizes", uploaded(zip_of_false_sizes(40)), times)
    yield Case("zip of 200 interlaced PNGs", uploaded(zip_of(interlaced_png(5_000, 5_000), 200)), 1)


FORM = {"content-type": "multipart/form-data; boundary=x"}


def translated(data: bytes) -> Attack:
    return lambda client: status_of(lambda: client.post("/translate", files={"file": ("x.png", data)}))


def uploaded(data: bytes) -> Attack:
    file, fields = {"file": ("x.zip", data)}, {"name": "hostile"}
    return lambda client: status_of(lambda: client.post("/datasets", files=file, data=fields))


def _in_pieces(client: httpx2.Client) -> int:
    return status_of(lambda: client.post("/translate", content=_pieces(200), headers=FORM))


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def flat_png(width: int, height: int) -> bytes:
    """RGB, all zero: about a thousandth of its pixels' bytes."""
    return _png(width, height, ((width, height),), interlaced=False)


ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""first column and row of each pass of an interlaced PNG, and the steps between its columns and rows"""


def interlaced_png(width: int, height: int) -> bytes:
    """As flat_png, in seven passes."""
    passes = [(-((x - width) // dx), -((y - height) // dy)) for x, y, dx, dy in ADAM7]
    return _png(width, height, passes, interlaced=True)


def _png(width: int, height: int, passes: Iterable[tuple[int, int]], *, interlaced: bool) -> bytes:
    packer = zlib.compressobj(9)
    rows = (bytes(1 + 3 * across) for across, down in passes for _ in range(down if across else 0))
    packed = b"".join([*(packer.compress(row) for row in rows), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """Progressive and grey; each scan but the first goes over all blocks and takes some 42 bytes for 25 megapixels."""
    blocks = -(-width // 8) * -(-height // 8)
    runs = [min(32_767, blocks - start) for start in range(0, blocks, 32_767)]
    # "The next n blocks end here": a code of one bit, and n - 16384 in 14 more, with n from 16384 on.
    bits = "".join(f"0{max(run - 16_384, 0):014b}" for run in runs)
    packed = int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2).to_bytes(-(-len(bits) // 8))
    refining = _segment(0xDA, bytes((1, 1, 0, 1, 63, 0x10))) + packed.replace(b"\xff", b"\xff\x00")
    parts = [
        b"\xff\xd8",
        _segment(0xDB, bytes([0] + [1] * 64)),
        _segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + bytes((1, 0x11, 0))),
        _segment(0xC4, bytes([0x00, 1, *[0] * 15, 0x00])),  # one code for "no change of brightness"
        _segment(0xC4, bytes([0x10, 1, *[0] * 15, 0xE0])),  # one code for "so many blocks end"
        _segment(0xDA, bytes((1, 1, 0, 0, 0, 0x01))) + bytes(-(-blocks // 8)),
        *[refining] * (scans - 1),
        b"\xff\xd9",
    ]
    return b"".join(parts)


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def zip_of_false_sizes(count: int) -> bytes:
    """Some 4 kB whose directory says that each member has 3 GiB."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for number in range(count):
            file.writestr(f"a/{number}.png", b"")
        for info in file.infolist():
            info.compress_size, info.file_size = 3 << 30, 1_000_000
    return out.getvalue()


def zip_of(picture: bytes, count: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for number in range(count):
            file.writestr(f"a/{number}.png", picture)
    return out.getvalue()


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


def _pieces(megabytes: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
    for _ in range(megabytes):
        yield bytes(1_000_000)


def measure(case: Case, client: httpx2.Client, api: psutil.Process) -> Iterator[Row]:
    began = time.perf_counter()
    with Watch(api, Alive(client)) as watch, ThreadPoolExecutor(CLIENTS) as pool:
        statuses = list(pool.map(lambda _: case.send(client), range(case.times)))
        seconds = time.perf_counter() - began
    yield Row(case.name, "seconds", round(seconds, 2), n=case.times)
    yield Row(case.name, "livez_ms", round(1000 * watch.alive.worst, 1), n=case.times)
    yield Row(case.name, "api_mb", round(watch.api / 1e6, 1), n=case.times)
    yield Row(case.name, "decoder_mb", round(watch.child / 1e6, 1), n=case.times)
    yield Row(case.name, "status", max(statuses), n=case.times)


class Watch:
    """Measure peak resident bytes of a process and of its largest child, and whether it responds meanwhile."""

    def __init__(self, process: psutil.Process, alive: Alive) -> None:
        self._process, self.alive = process, alive
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._measure, self._send_requests)]
        self.api = self.child = 0
        self.seconds = 0.0
        self._began = time.monotonic()

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.alive.close()

    def _send_requests(self) -> None:
        while not self._stop.is_set():
            self.alive.send_request()

    def _measure(self) -> None:
        stopped = False
        while not stopped:
            self.api = max(self.api, _resident(self._process))
            children = self._process.children(recursive=True)
            self.child = max([self.child, *(_resident(child) for child in children)])
            stopped = self._stop.wait(SAMPLED_S)


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
    parser.add_argument("--json", type=Path, default=RESULTS / "hostile.json", help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
