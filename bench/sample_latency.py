"""How many pictures per second does /sample serve, and how soon, compared with LitServe, BentoML and plain FastAPI?

    python -m bench.sample_latency [--quick] [--uninstalled] [--json FILE]

Every system serves the same weights, a DCGAN for 28 px, from one core; the clients have another. Each client sends the
next request as soon as it has a reply, each time with a new seed; nothing is cached. The systems take turns of some
seconds, so that other load affects all alike; the others are stopped meanwhile (SIGSTOP). Peers are installed into
bench/cache/peers; their code is in bench/peers, one file each. With --uninstalled the only peer is plain FastAPI, in
Forger's own environment. Figures, at 1, 8, 32 and 128 clients, medians over the turns with half the distance between
quartiles as spread:

- requests per second
- p50, p99: milliseconds
- cpu: milliseconds of the server's processes per picture
- memory: megabytes of the server's processes (PSS) after the load

`against` is the ratio of forger's requests per second to those of the others. The limit is the generator in batches of
32 and PNG encoding in a loop, on the same core, in separate turns. `forger remote` is the service whose pictures are
drawn by an inference worker, through Redis.
"""

import argparse
import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

import psutil

from bench.load import Answers, load
from bench.options import parser_of
from bench.results import CHECKOUT, Row, show, write
from bench.trained import dcgan_of_noise
from examples.demo import PATIENCE_S

PEERS = Path(__file__).parent / "cache" / "peers"
INSTALLED = ("litserve==0.2.19", "bentoml==1.4.39", "fastapi", "uvicorn", "safetensors", "pydantic", "numpy", "pillow")
CLIENTS = (1, 8, 32, 128)
SERVER_CORE, CLIENT_CORE = 0, 1
"""indices into the cores that this process may use"""
Limit = Callable[[float], float]
GET = "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: image/png\r\n\r\n"
POST = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n{body}"
)


@dataclass
class System:
    """A server's process, its requests, and its replies by number of clients."""

    name: str
    process: psutil.Process
    port: int
    request_of: Callable[[int], str]
    answers: dict[int, list[Answers]] = field(default_factory=dict)
    cpu: dict[int, list[float]] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)

    def turn(self, clients: int, seconds: float, seeds: Iterator[int]) -> None:
        before = self.cpu_seconds()
        requests = (self.request_of(seed).encode() for seed in seeds)
        answers = asyncio.run(load(self.port, requests, clients, seconds))
        if answers.refused or answers.lost or not answers.seconds:
            raise SystemExit(f"{self.name}, {clients} clients: {len(answers.refused)} refused, {answers.lost} lost.")
        self.answers.setdefault(clients, []).append(answers)
        self.cpu.setdefault(clients, []).append((self.cpu_seconds() - before) / len(answers.seconds))
        self.memory[clients] = max(self.memory.get(clients, 0), self.bytes())

    def processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu_seconds(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes())

    def bytes(self) -> float:
        return sum(process.memory_full_info().pss for process in self.processes())


def main() -> None:
    options = _options()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("This bench needs two cores: one for the server, one for the clients.")
    if not options.uninstalled:
        install()
    installed = str(PEERS / "bin" / "python"), [*REQUESTS]
    python, names = (sys.executable, ["fastapi"]) if options.uninstalled else installed
    seconds, turns = (1.5, 3) if options.quick else (3.0, 5)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        home, export = dcgan_of_noise(folder)
        os.sched_setaffinity(0, {cores[CLIENT_CORE]})
        core = cores[SERVER_CORE]
        start = [forger(home, core), *(peer(name, python, export, core) for name in names)]
        if not options.uninstalled:
            start.append(remote(home, core))
        systems = [stack.enter_context(server) for server in start]
        raw = measure(systems, stack.enter_context(limit(export, core)), seconds, turns)
    results = list(rows(systems, raw))
    show("GET /sample, one core", results)
    write("sample_latency", results, options.json, server_cores=1, client_cores=1, quick=options.quick)
    print(f"Written to {options.json}")


def measure(systems: list[System], most: Limit, seconds: float, turns: int) -> dict[int, list[float]]:
    """Measure every system alternately, and the limit too: return its pictures per second by number of clients."""
    seeds, raw = itertools.count(1), dict[int, list[float]]()
    for clients in CLIENTS:
        for system in systems:
            with others_still(systems, system):
                system.turn(clients, seconds, seeds)  # warms up
            for kept in (system.answers, system.cpu):
                kept[clients].clear()
        for _ in range(turns):
            for system in systems:
                with others_still(systems, system):
                    system.turn(clients, seconds, seeds)
            with others_still(systems):
                raw.setdefault(clients, []).append(most(seconds))
        print(clients, *(f"{s.name} {median(a.rate for a in s.answers[clients]):.0f}/s" for s in systems), flush=True)
    return raw


@contextmanager
def others_still(systems: list[System], busy: System | None = None) -> Iterator[None]:
    """Stop all systems but the busy one during the block: some poll their queues thousands of times per second."""
    still = [process for system in systems if system is not busy for process in system.processes()]
    for process in still:
        process.suspend()
    try:
        yield
    finally:
        for process in still:
            process.resume()


def rows(systems: list[System], raw: dict[int, list[float]]) -> Iterator[Row]:
    for clients in CLIENTS:
        most = median(raw[clients])
        rates = {system.name: median(turn.rate for turn in system.answers[clients]) for system in systems}
        for system in systems:
            case, turns = f"{system.name}, {clients} clients", system.answers[clients]
            low, _, high = quantiles([turn.rate for turn in turns], n=4)
            against = {name: rates["forger"] / rate for name, rate in rates.items() if name != "forger"}
            against["limit"] = rates["forger"] / most
            own = against if system.name == "forger" else {}
            yield Row(case, "requests per second", rates[system.name], (high - low) / 2, len(turns), own)
            for figure, share in (("p50 ms", 0.5), ("p99 ms", 0.99)):
                yield Row(case, figure, 1000 * median(turn.quantile(share) for turn in turns), n=len(turns))
            yield Row(case, "cpu ms", 1000 * median(system.cpu[clients]), n=len(turns))
            yield Row(case, "memory MB", system.memory[clients] / 1e6)
        yield Row(f"limit, beside {clients} clients", "pictures per second", most, n=len(raw[clients]))


@contextmanager
def forger(home: Path, core: int) -> Iterator[System]:
    """Start the API alone, as in a container."""
    with _forger("forger", home, core, "serve", "--only", "api") as system:
        yield system


@contextmanager
def remote(home: Path, core: int) -> Iterator[System]:
    """Start the whole service, with Redis and an inference worker that draws the pictures, all on the one core."""
    with _forger("forger remote", home, core, "serve", FORGER_INFERENCE="workers") as system:
        yield system


def _forger(name: str, home: Path, core: int, *command: str, **settings: str) -> AbstractContextManager[System]:
    port = free_port()
    settings |= {"FORGER_HOME": str(home), "FORGER_PORT": str(port)}
    return serving(name, [sys.executable, "-P", "-m", "forger", *command], settings, core, port, _sample)


def _litserve(seed: int) -> str:
    body = f'{{"seed": {seed}}}'
    return POST.format(path="/predict", length=len(body), body=body)


def _bentoml(seed: int) -> str:
    body = f'{{"seeds": [{seed}]}}'
    return POST.format(path="/sample", length=len(body), body=body)


def _sample(seed: int) -> str:
    return GET.format(path=f"/sample?seed={seed}")


REQUESTS = {"litserve": _litserve, "bentoml": _bentoml, "fastapi": _sample}
COMMANDS = {
    "litserve": ["-m", "bench.peers.litserve_server"],
    "bentoml": ["-m", "bentoml", "serve", "bench.peers.bentoml_service:Sampler", "--port", "{port}"],
    "fastapi": ["-m", "bench.peers.plain_fastapi"],
}


@contextmanager
def peer(name: str, python: str, export: Path, core: int) -> Iterator[System]:
    port = free_port()
    settings = {"PEER_EXPORT": str(export), "PEER_PORT": str(port), "BENTOML_DO_NOT_TRACK": "True"}
    command = [python, *(word.format(port=port) for word in COMMANDS[name])]
    with serving(name, command, settings, core, port, REQUESTS[name]) as system:
        yield system


@contextmanager
def serving(
    name: str, command: list[str], settings: dict[str, str], core: int, port: int, request_of: Callable[[int], str]
) -> Iterator[System]:
    """Run a server on one core, from its start to its end."""
    own = {"PYTHONPATH": str(CHECKOUT), "GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env=os.environ | own | settings,
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait(name, process, port, request_of)
            yield System(name, psutil.Process(process.pid), port, request_of)
        except SystemExit:
            log.seek(0)
            print(log.read().decode()[-4000:])
            raise
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # some leave it to others to end their children
            process.wait(60)


def _wait(name: str, process: "subprocess.Popen[bytes]", port: int, request_of: Callable[[int], str]) -> None:
    """Wait until a picture comes. Raises SystemExit."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answers = asyncio.run(load(port, itertools.repeat(request_of(0).encode()), 1, 0))
        except OSError:
            answers = Answers()
        if answers.seconds:
            return
        time.sleep(0.3)
    raise SystemExit(f"{name} did not start.")


@contextmanager
def limit(export: Path, core: int) -> Iterator[Limit]:
    """Yield a function that measures the limit for so many seconds, in pictures per second."""
    command = ["taskset", "-c", str(core), sys.executable, "-P", "-m", "bench.peers.limit", str(export)]
    env = os.environ | {"PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=env, cwd=CHECKOUT, stdin=pipe, stdout=pipe, text=True) as process:
        orders, output = process.stdin, process.stdout
        assert orders
        assert output

        def measured(seconds: float) -> float:
            print(seconds, file=orders, flush=True)
            return float(output.readline())

        yield measured
        orders.close()


def install() -> None:
    """Install the peers, once, into a separate environment."""
    if (PEERS / "installed").exists():
        return
    print("Installing the peers into bench/cache/peers.")
    venv.create(PEERS, with_pip=True)
    pip = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(CHECKOUT / "requirements" / "torch.txt")], check=True)
    subprocess.run([*pip, *INSTALLED], check=True)
    (PEERS / "installed").touch()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def _options() -> argparse.Namespace:
    parser = parser_of("sample_latency", __doc__, "3 turns of 1.5 s instead of 5 of 3 s")
    parser.add_argument("--uninstalled", action="store_true", help="no peer that would have to be installed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
