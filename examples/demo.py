"""Show Forger from end to end: start the service, train two GANs over HTTP, draw digits, turn day into night.

Run it with `make demo`, or `python -m examples.demo`. It leaves its pictures in demo/. The budgets are minutes, so it
takes about five minutes on any machine; the faster the machine, the better the pictures. With `--keep` (`make demo
KEEP=1`) the service stays up afterwards, until Ctrl-C.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from forger import Forger, ForgerProblem, Job, Picture, wire
from forger.wire import JobState

CHECKOUT = Path(__file__).resolve().parents[1]
DEMO = CHECKOUT / "demo"
PATIENCE_S = 60

DIGITS: dict[str, Any] = {"recipe": "cdcgan", "dataset": "digits", "seed": 1, "budget": {"minutes": 1}}
NIGHTS = "examples/day2night.json"
"""uses the critic and objective of CycleGAN's paper, with which painted scenes get lit windows and stars; the family's
defaults suit photographs
"""
POLL_S = 0.5
"""between two requests for a job's state"""
INTERRUPTED = 130
"""the exit status of a program that Ctrl-C ended"""
SIDE = 64
"""pixels of a side of the dataset's scenes, at which the translator learns"""
SCENES, ENLARGED, GAP = 5, 3, 8
"""number of held-out scenes that are translated; factor by which they are enlarged; px between them"""

say = Console(highlight=False, soft_wrap=True).print


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="Train two GANs and use them.")
    parser.add_argument("--keep", action="store_true", help="keep the service up afterwards, until Ctrl-C")
    options = parser.parse_args()
    try:
        demo(keep=options.keep)
    except KeyboardInterrupt:
        say("\nStopped, with the service: nothing is left running. Begin again with: make demo")
        raise SystemExit(INTERRUPTED) from None


def demo(*, keep: bool = False) -> None:
    started = time.monotonic()
    DEMO.mkdir(exist_ok=True)
    say("[bold]1. Starting Forger[/bold]: API, worker and an embedded Redis, with a home of their own in demo/home.")
    with service(DEMO / "home") as forger:
        say(f"   It answers at {forger.url}. Watch it in a browser: [bold]{forger.url}/studio[/bold]")
        say("[bold]2. Training two GANs[/bold], posted to /jobs: four minutes in all, whatever the machine.")
        digits = post(forger, DIGITS)
        nights = post(forger, json.loads((CHECKOUT / NIGHTS).read_text()), f"@{NIGHTS}")
        with bars() as progress:
            models = [follow(job, progress) for job in (digits, nights)]
        say("[bold]3. Drawing digits[/bold] with GET /sample.")
        draw_digits(forger, models[0])
        say("[bold]4. Turning day into night[/bold] with POST /translate.")
        translate(forger, models[1])
        if keep:
            say(f"[bold]5. The service stays up[/bold] at {forger.url}/studio until Ctrl-C.")
            signal.pause()
        say("[bold]5. Stopping the service.[/bold]")
    say(f"Done in {time.monotonic() - started:.0f} s.")
    say("Open demo/digits.png, demo/zero_to_nine.webp (in a browser: it moves) and demo/day_to_night.png.")
    say("To start over by hand:")
    say("   make serve        then the lines of README.md")


@contextmanager
def service(home: Path) -> Iterator[Forger]:
    """Run `forger serve` on a free port during the block; yield a client of it."""
    home.mkdir(parents=True, exist_ok=True)
    own = {"FORGER_HOME": str(home), "FORGER_PORT": "0", "FORGER_HOST": "127.0.0.1", "GOMP_SPINCOUNT": "0"}
    others = ("DATABASE_URL", "REDIS_URL", "FORGER_URL", "FORGER_API_KEY")
    clean = {name: value for name, value in os.environ.items() if name not in others}
    with (home / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "forger", "serve"],
            env=clean | own | {"PYTHONPATH": str(CHECKOUT)},
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Forger(started(home, process))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def started(home: Path, process: "subprocess.Popen[bytes]") -> str:
    """Wait until the service has started, and return its address."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if url := wire.running_service_url(home):
            return url
        time.sleep(0.1)
    raise SystemExit(f"The service did not start. Its log is {home / 'serve.log'}.")


def post(forger: Forger, request: Mapping[str, Any], shown: str | None = None) -> Job:
    say(f"   POST /jobs {shown or json.dumps(request)}")
    try:
        return forger.train(**request)
    except ForgerProblem as refusal:
        raise SystemExit(str(refusal)) from refusal


def bars() -> Progress:
    return Progress(
        TextColumn("   {task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )


def follow(job: Job, progress: Progress) -> str:
    """Show the job's progress until it ends; return the name@version that it published."""
    bar = progress.add_task(f"{job.reply.family} on {job.reply.dataset}", total=None, note="")
    while not job.ended:
        time.sleep(POLL_S)
        job.refresh()
        at, best = job.reply.progress, job.reply.best
        note = f"best frechet {best.value:.3g}" if best else "" if at.total else "measuring its speed"
        progress.update(bar, total=at.total, completed=at.step, note=note)
    if job.state != JobState.SUCCEEDED or job.model is None:
        raise SystemExit(f"{job!r}: {job.reply.status_reason}. See logs/ in the service's home.")
    return job.model


def draw_digits(forger: Forger, model: str) -> None:
    keep(forger.sample(7, model=model, seed=2, scale=16), "GET /sample?class=7&scale=16", "seven.png")
    keep(forger.sample("each", 10, model=model, seed=1, scale=4), "GET /sample?class=each&n=10&scale=4", "digits.png")
    walk = forger.interpolate(
        *(f"1:{digit}" for digit in range(10)), model=model, frames=120, loop=True, scale=8, format="webp"
    )
    keep(walk, "GET /interpolate?from=1:0&...&to=1:9&loop=true&format=webp", "zero_to_nine.webp")


def keep(picture: Picture, request: str, name: str) -> None:
    picture.save(DEMO / name)
    say(f"   {request}  ->  demo/{name}")


def translate(forger: Forger, model: str) -> None:
    """Translate the first held-out scenes; day_to_night.png shows each scene above its translation."""
    from data.readers import scenes  # imports torch: late, so that the first line appears at once

    columns = []
    for number in range(SCENES):
        day, night = DEMO / f"day_{number}.png", DEMO / f"night_{number}.png"
        scenes.render(scenes.HELD_OUT_SEEDS + number, SIDE, night=False).save(day)
        forger.translate(day, model=model).save(night)
        columns.append((day, night))
    large = SIDE * ENLARGED
    sheet = Image.new("RGB", (SCENES * (large + GAP) - GAP, 2 * large + GAP), "white")
    for column, pair in enumerate(columns):
        for row, path in enumerate(pair):
            with Image.open(path) as picture:
                larger = picture.resize((large, large), Image.Resampling.NEAREST)
            sheet.paste(larger, (column * (large + GAP), row * (large + GAP)))
    sheet.save(DEMO / "day_to_night.png")
    say(f"   POST /translate, {SCENES} scenes that were not trained on  ->  demo/day_to_night.png")


if __name__ == "__main__":
    main()
