"""How quick and how light is the studio?

    python -m bench.studio [--quick] [--json FILE]

A service runs in processes of its own with 500 jobs in its database, and Chromium opens its pages. Figures:

- first paint: milliseconds from the request to the first paint of the list with its rows, the median over loads with an
  empty cache; the other column repeats it with a full cache
- weight: kilobytes that the list and a job's page transfer with an empty cache, gzipped as a proxy would send them
- tasks while panning: 95th percentile of the main thread's tasks, in milliseconds, while the list of jobs scrolls, and
  while eight charts of 10,000 points are panned
- following: megabytes of the page's heap after 10 and after 3,600 reports, an hour at one a second, sent as fast as the
  page takes them
"""

import gzip
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from app.core.settings import get_settings
from app.db import migrate
from bench.filled import fill
from bench.options import parser_of
from bench.results import Row, show, write
from forger import Forger
from tests.support.chromium import FLAGS, find_chromium
from tests.support.service import Service

JOBS, CHARTS, POINTS, HOUR, FIRST_STEP = 500, 8, 10_000, 3_600, 100_000
LIST_SHOWN = "document.querySelectorAll('.jobs-row').length > 5"
JOB_SHOWN = "document.querySelector('nav .state.ok') && document.querySelector('[data-points]')?.dataset.points > 0"
PAN = """
async ({charts, points}) => {
  const { Chart } = await import(new URL('chart.js', document.baseURI).href);
  const { Curves } = await import(new URL('curves.js', document.baseURI).href);
  const main = document.querySelector('main');
  main.replaceChildren();
  const view = {scale: 'linear', smoothing: 0, step: null, from: null, to: null, hidden: new Set()};
  const all = [];
  for (let number = 0; number < charts; number += 1) {
    const curves = new Curves();
    for (let step = 0; step < points; step += 1) {
      curves.report(step, {[`curve${number}`]: Math.sin(step / 90 + number)});
    }
    const chart = new Chart(`curve${number}`, curves, {view, onStep() {}, onZoom() {}, sync: 'bench'});
    chart.plot.style.width = '360px';
    main.append(chart.element);
    chart.visible = true;
    chart.show(curves.names);
    all.push(chart);
  }
  await new Promise(requestAnimationFrame);
  return new Promise((resolve) => {
    let frame = 0;
    const pan = () => {
      const from = 50 * frame;
      for (const chart of all) chart.uplot.setScale('x', {min: from, max: from + 2000});
      frame += 1;
      if (frame < 120) requestAnimationFrame(pan);
      else resolve(frame);
    };
    requestAnimationFrame(pan);
  });
}
"""
SCROLL = """
() => new Promise((resolve) => {
  const body = document.querySelector('.jobs-body');
  let frame = 0;
  const scroll = () => {
    body.scrollTop = 90 * frame;
    frame += 1;
    if (frame < 240) requestAnimationFrame(scroll);
    else resolve(frame);
  };
  requestAnimationFrame(scroll);
})
"""


def main() -> None:
    options = parser_of("studio", __doc__ or "", "3 loads instead of 9").parse_args()
    loads = 3 if options.quick else 9
    with tempfile.TemporaryDirectory() as folder, filled_service(Path(folder)) as service, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        job = newest_training(service)
        measured = {
            "first paint of the list, ms": first_paint(browser, service.url, loads),
            "weight, kB gzipped": weight(browser, service.url, job),
            "tasks while the list scrolls, ms": tasks_while_scrolling(browser, service.url),
            f"tasks while {CHARTS} charts of {POINTS} points are panned, ms": tasks_while_panning(browser, service.url),
            "heap while following, MB": following(browser, service, job, 300 if options.quick else HOUR),
        }
        rows = [
            Row(f"{case}: {figure}", "value", value)
            for case, values in measured.items()
            for figure, value in values.items()
        ]
        browser.close()
    show("The studio", rows)
    write("studio", rows, options.json, jobs=JOBS, loads=loads)


@contextmanager
def filled_service(home: Path) -> Iterator[Service]:
    """Run a service whose database holds JOBS jobs."""
    os.environ["FORGER_HOME"] = str(home)
    get_settings.cache_clear()
    migrate.upgrade()
    fill(JOBS, 40, 0)
    service = Service(home).start()
    try:
        yield service
    finally:
        service.stop()


def newest_training(service: Service) -> str:
    return next(job.id for job in Forger(service.url).jobs() if job.reply.kind == "train")


def opened(browser: Browser, url: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(url)
    return page


def wait_for(page: Page, condition: str) -> None:
    while not page.evaluate(condition):
        page.wait_for_timeout(5)


def first_paint(browser: Browser, url: str, loads: int) -> dict[str, float]:
    empty, full = [], []
    for _ in range(loads):
        page = opened(browser, f"{url}/studio/jobs")
        wait_for(page, LIST_SHOWN)
        empty.append(painted_ms(page))
        page.reload()
        wait_for(page, LIST_SHOWN)
        full.append(painted_ms(page))
        page.context.close()
    return {"empty cache": median(empty), "full cache": median(full)}


def painted_ms(page: Page) -> float:
    """Return the time of the newest large paint, which is the one with the rows."""
    entries = """() => new Promise((resolve) => new PerformanceObserver((list) =>
        resolve(list.getEntries().map((entry) => entry.startTime))).observe(
        {type: 'largest-contentful-paint', buffered: true}))"""
    return float(max(page.evaluate(entries)))


def weight(browser: Browser, url: str, job: str) -> dict[str, float]:
    sizes = {}
    for name, path in (("list", "jobs"), ("job", f"jobs/{job}")):
        context = browser.new_context()
        page = context.new_page()
        bodies: list[bytes] = []
        page.on("response", lambda reply: bodies.append(_body(reply)))  # noqa: B023
        page.goto(f"{url}/studio/{path}")
        page.wait_for_timeout(2500)
        sizes[name] = sum(len(gzip.compress(body)) for body in bodies) / 1000
        context.close()
    return sizes


def _body(reply: Any) -> bytes:
    if "event-stream" in reply.headers.get("content-type", "") or not reply.ok:
        return b""
    content: bytes = reply.body()
    return content


def tasks_while_scrolling(browser: Browser, url: str) -> dict[str, float]:
    page = opened(browser, f"{url}/studio/jobs")
    wait_for(page, LIST_SHOWN)
    return task_quantiles(page, lambda: page.evaluate(SCROLL))


def tasks_while_panning(browser: Browser, url: str) -> dict[str, float]:
    page = opened(browser, f"{url}/studio/jobs")
    wait_for(page, LIST_SHOWN)
    wait_for(page, "typeof uPlot === 'function'")
    return task_quantiles(page, lambda: page.evaluate(PAN, {"charts": CHARTS, "points": POINTS}))


def task_quantiles(page: Page, work: Any) -> dict[str, float]:
    """Return the 95th percentile of the main thread's tasks of 1 ms or more during `work`, and the longest."""
    session: CDPSession = page.context.new_cdp_session(page)
    events: list[dict[str, Any]] = []
    finished: list[bool] = []
    session.on("Tracing.dataCollected", lambda data: events.extend(data["value"]))
    session.on("Tracing.tracingComplete", lambda _: finished.append(True))
    session.send(
        "Tracing.start",
        {"categories": "toplevel,disabled-by-default-devtools.timeline", "transferMode": "ReportEvents"},
    )
    work()
    session.send("Tracing.end")
    while not finished:
        page.wait_for_timeout(20)
    tasks = [event["dur"] / 1000 for event in events if event.get("name") == "RunTask" and event.get("dur", 0) >= 1000]
    page.context.close()
    return {"95th percentile": quantiles(tasks, n=20)[-1], "longest": max(tasks), "tasks": float(len(tasks))}


def following(browser: Browser, service: Service, job: str, reports: int) -> dict[str, float]:
    """Report to a running job in the database, and watch the heap of its page."""
    heaps: dict[str, float] = {}
    with sqlite3.connect(service.home / "forger.db", timeout=30) as database:
        database.execute("UPDATE jobs SET total = ? WHERE id = ?", (FIRST_STEP + reports, job))
        database.commit()
        page = opened(browser, f"{service.url}/studio/jobs/{job}")
        wait_for(page, JOB_SHOWN)
        session = page.context.new_cdp_session(page)
        seq, position = database.execute(
            "SELECT max(seq), (SELECT last FROM event_counter) FROM events WHERE job_id = ?", (job,)
        ).fetchone()
        for number in range(1, reports + 1):
            data = json.dumps(
                {"step": FIRST_STEP + number, "values": {"critic/hinge": 1 / number, "generator/hinge": number}}
            )
            database.execute(
                "INSERT INTO events (job_id, seq, position, type, data, at) VALUES (?, ?, ?, 'metrics', ?, 0)",
                (job, seq + number, position + number, data),
            )
            database.execute("UPDATE event_counter SET last = ?", (position + number,))
            database.commit()
            if number in (10, reports):
                wait_for_step(page, FIRST_STEP + number)
                session.send("HeapProfiler.collectGarbage")
                heaps[f"after {number} reports"] = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    page.context.close()
    return heaps


def wait_for_step(page: Page, step: int) -> None:
    wait_for(page, f"document.querySelector('input[aria-label=Step]')?.value >= {step}")


if __name__ == "__main__":
    main()
