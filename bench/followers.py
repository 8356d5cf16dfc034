"""Followers of jobs' streams, and a writer whose events say when they were written."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.services.jobs import attempts, lifecycle
from bench.load import quantile
from bench.sample_latency import System
from forger.wire import JobState

EVERY_S = 0.25
"""between two reports of a job"""
PATIENCE_S = 120.0
"""beyond the time that writing should take"""
REQUEST = "GET /jobs/{job}/events?after={after} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


@dataclass
class Followed:
    """Seconds from writing to arrival of every event at every follower; processor seconds of the API per second."""

    delays: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def quantile(self, share: float) -> float:
        """Seconds."""
        return quantile(self.delays, share)


async def follow(system: System, jobs_: Sequence[str], followers: int, seconds: float) -> Followed:
    """Run so many followers, each of one of the jobs, while all these jobs report."""
    result, ready = Followed(), asyncio.Semaphore(0)
    after = {job: _last(job) for job in jobs_}
    reports = int(seconds / EVERY_S)
    followed = [jobs_[number % len(jobs_)] for number in range(followers)]
    async with asyncio.timeout(seconds + PATIENCE_S + followers * 0.1), asyncio.TaskGroup() as group:
        for job in followed:
            group.create_task(_follower(system.port, job, after[job], reports, ready, result))
        for _ in followed:
            await ready.acquire()
        await asyncio.sleep(1.0)  # they are fed by now
        before, began = system.cpu_seconds(), time.perf_counter()
        await asyncio.to_thread(_report, jobs_, reports)
        result.cpu = (system.cpu_seconds() - before) / (time.perf_counter() - began)
    return result


def _last(job: str) -> int:
    """Return the number of the newest event."""
    seq = 0
    while more := lifecycle.events(job, after=seq, limit=500):
        seq = more[-1].seq
    return seq


async def _follower(port: int, job: str, after: int, reports: int, ready: asyncio.Semaphore, result: Followed) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST.format(job=job, after=after).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    ready.release()
    for _ in range(reports):
        line = b""
        while not line.startswith(b"data: "):
            line = await reader.readuntil(b"\n")
        event = json.loads(line[len(b"data: ") :])
        result.delays.append(time.time() - event["values"]["written_at"])
    writer.close()


def _report(jobs_: Sequence[str], reports: int) -> None:
    """Write reports, each job at a different moment of each quarter of a second.

    The time in an event is taken just before it is written.
    """
    views = {job: lifecycle.get(job) for job in jobs_}
    assert all(one.state == JobState.RUNNING for one in views.values())
    began = time.monotonic()
    for number in range(reports * len(jobs_)):
        job = jobs_[number % len(jobs_)]
        time.sleep(max(0.0, began + number * EVERY_S / len(jobs_) - time.monotonic()))
        step = views[job].step + 1 + number // len(jobs_)
        report = attempts.StepReport(step, {"written_at": time.time()})
        attempts.record_reports(job, views[job].attempt, [report])
