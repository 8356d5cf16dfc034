"""The main job, end to end: start the service, train two GANs over HTTP, draw digits, turn day into night.

Run it with `make demo`, or `python -m examples.demo`. Pictures are left in demo/.
"""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

CHECKOUT = Path(__file__).resolve().parents[1]
DEMO = CHECKOUT / "demo"
Json = dict[str, Any]

DIGITS: Json = {"recipe": "cdcgan", "dataset": "digits", "seed": 1, "budget": {"steps": 2000}}
NIGHTS: Json = {"recipe": "cyclegan", "dataset": "day2night", "seed": 1, "budget": {"steps": 1200}}
SIDE = 64
"""pixels of a side of the dataset's scenes, at which the translator learns"""
PHOTO_SEED = 7
"""which held-out scene is translated"""

say = Console(highlight=False, soft_wrap=True).print


def main() -> None:
    started = time.monotonic()
    DEMO.mkdir(exist_ok=True)
    say("[bold]1. Starting Forger[/bold]: API, worker and an embedded Redis, with a home of their own in demo/home.")
    with service(DEMO / "home") as client:
        say(f"   It answers at {client.base_url}")
        say("[bold]2. Training two GANs[/bold], posted to /jobs and followed over /jobs/{id}/events.")
        digits, nights = (post_job(client, body) for body in (DIGITS, NIGHTS))
        with bars() as progress:
            models = [follow(client, job, progress) for job in (digits, nights)]
        say("[bold]3. Drawing digits[/bold] with GET /sample.")
        draw_digits(client, models[0])
        say("[bold]4. Turning day into night[/bold] with POST /translate.")
        translate(client, models[1])
        say("[bold]5. Stopping the service.[/bold]")
    say(f"Done in {time.monotonic() - started:.0f} s. Open demo/digits.png and demo/before_after.png.")
    say("To start over by hand:")
    say("   make serve        then the lines of README.md")


@contextmanager
def service(home: Path) -> Iterator[httpx2.Client]:
    """`forger serve` on a free port, stopped at the end; a client of it."""
    home.mkdir(parents=True, exist_ok=True)
    own = {"FORGER_HOME": str(home), "FORGER_PORT": "0", "FORGER_HOST": "127.0.0.1", "GOMP_SPINCOUNT": "0"}
    clean = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    with (home / "serve.log").open("ab") as log:
        command = [sys.executable, "-P", "-m", "app.cli", "serve"]
        process = subprocess.Popen(
            command,
            env=clean | own | {"PYTHONPATH": str(CHECKOUT)},
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield client_of(home, process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def client_of(home: Path, process: "subprocess.Popen[bytes]", patience_s: float = 60) -> httpx2.Client:
    """A client, once the service has said where it is and answers."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and process.poll() is None:
        try:
            published = json.loads((home / "service.json").read_text())
            if published["pid"] == process.pid:
                client = httpx2.Client(base_url=published["url"], timeout=120)
                client.get("/livez").raise_for_status()
                return client
        except (FileNotFoundError, httpx2.TransportError):
            pass
        time.sleep(0.1)
    raise SystemExit(f"The service did not start. Its log is {home / 'serve.log'}.")


def post_job(client: httpx2.Client, body: Json) -> Json:
    say(f"   POST /jobs {json.dumps(body)}")
    reply = client.post("/jobs", json=body)
    if reply.status_code != 201:
        raise SystemExit(reply.text)
    job: Json = reply.json()
    return job


def bars() -> Progress:
    return Progress(
        TextColumn("   {task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[losses]}"),
    )


def follow(client: httpx2.Client, job: Json, progress: Progress) -> str:
    """Show the job's events until it ends; the name@version it published."""
    bar = progress.add_task(f"{job['family']} on {job['dataset']}", total=job["progress"]["total"], losses="")
    for type_, data in events(client, job["id"]):
        if type_ == "metrics":
            progress.update(bar, completed=data["step"], losses=losses(data["values"]))
    job = client.get(f"/jobs/{job['id']}").json()
    if job["state"] != "succeeded":
        raise SystemExit(f"{job['id']} is {job['state']}: {job['status_reason']}. See demo/home/logs.")
    model: str = job["result"]["model"]
    return model


def losses(values: dict[str, float | None]) -> str:
    """Each player's sum, which is what it minimises."""
    sums: dict[str, float] = {}
    for name, value in values.items():
        player = name.split("/")[0]
        sums[player] = sums.get(player, 0.0) + (value or 0.0)
    return "  ".join(f"{player} {value:+.2f}" for player, value in sorted(sums.items(), reverse=True))


def events(client: httpx2.Client, job_id: str) -> Iterator[tuple[str, Json]]:
    """(type, data) of every event, as they come; the stream ends with the job."""
    with client.stream(
        "GET", f"/jobs/{job_id}/events", headers={"Accept": "text/event-stream"}, timeout=None
    ) as stream:
        type_ = ""
        for line in stream.iter_lines():
            if line.startswith("event:"):
                type_ = line.removeprefix("event:").strip()
            elif line.startswith("data:"):
                yield type_, json.loads(line.removeprefix("data:"))


def draw_digits(client: httpx2.Client, model: str) -> None:
    fetch(client, f"/sample?model={model}&class=7&seed=2&scale=16", DEMO / "seven.png")
    fetch(client, f"/sample?model={model}&class=each&n=10&seed=1&scale=4", DEMO / "digits.png")


def fetch(client: httpx2.Client, url: str, path: Path) -> None:
    reply = client.get(url)
    reply.raise_for_status()
    path.write_bytes(reply.content)
    say(f"   GET {url}  ->  demo/{path.name}")


def translate(client: httpx2.Client, model: str, enlarged: int = 6) -> None:
    """A scene that was not trained on goes there; it and the reply lie side by side in before_after.png."""
    from worker.training import scenes  # imports torch: late, so that the first line appears at once

    photo = scenes.draw(scenes.HELD_OUT_SEEDS + PHOTO_SEED, SIDE, night=False)
    photo.save(DEMO / "photo.png")
    with (DEMO / "photo.png").open("rb") as file:
        reply = client.post("/translate", files={"file": ("photo.png", file, "image/png")}, data={"model": model})
    reply.raise_for_status()
    (DEMO / "translated.png").write_bytes(reply.content)
    translated = Image.open(io.BytesIO(reply.content))
    large = SIDE * enlarged
    both = Image.new("RGB", (2 * large + 16, large), "white")
    for place, picture in enumerate((photo, translated)):
        both.paste(picture.resize((large, large), Image.Resampling.NEAREST), (place * (large + 16), 0))
    both.save(DEMO / "before_after.png")
    say("   POST /translate photo.png  ->  demo/translated.png, and both in demo/before_after.png")


if __name__ == "__main__":
    main()
