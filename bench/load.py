"""HTTP clients with little overhead: each sends the next request as soon as it has a reply, over one connection."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Answers:
    """The seconds of each reply, with its status if that is not 200, and the number of connections without a reply."""

    seconds: list[float] = field(default_factory=list)
    refused: list[tuple[int, float]] = field(default_factory=list)
    lost: int = 0
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Replies per second."""
        return len(self.seconds) / self.took

    def quantile(self, share: float) -> float:
        """Return the quantile of the replies' times, in seconds."""
        return quantile(self.seconds, share)

    def note(self, status: int, seconds: float) -> None:
        if status == 200:
            self.seconds.append(seconds)
        else:
            self.refused.append((status, seconds))


def quantile(seconds: list[float], share: float) -> float:
    """Return the quantile, in seconds."""
    return sorted(seconds)[min(len(seconds) - 1, int(share * len(seconds)))]


class Client(asyncio.Protocol):
    """One connection of HTTP/1.1. It parses a reply only as far as is needed to find its end."""

    def __init__(self, requests: Iterator[bytes], answers: Answers, until: float, over: Callable[[], None]) -> None:
        self._requests, self._answers, self._until, self._over = requests, answers, until, over
        self._buffer = bytearray()
        self._end = 0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._end:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            self._end = _end(bytes(self._buffer[:head]), head + 4)
        whole = len(self._buffer) >= self._end if self._end > 0 else self._buffer.endswith(b"0\r\n\r\n")
        if whole:
            self._finish()

    def connection_lost(self, error: Exception | None) -> None:
        self._answers.lost += self._waits
        self._over()

    def _send(self) -> None:
        self._buffer.clear()
        self._end = 0
        self._began = time.perf_counter()
        self._waits = True
        self._transport.write(next(self._requests))

    def _finish(self) -> None:
        now = time.perf_counter()
        self._waits = False
        self._answers.note(int(self._buffer[9:12]), now - self._began)
        if now < self._until:
            self._send()
        else:
            self._transport.close()


def _end(head: bytes, body: int) -> int:
    """Return where the reply ends; -1 if it comes in chunks."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return body + int(line[15:])
    return -1


async def load(port: int, requests: Iterator[bytes], clients: int, seconds: float) -> Answers:
    """Run so many clients for so long, and return their replies."""
    loop, answers = asyncio.get_running_loop(), Answers()
    began = time.perf_counter()
    left, over = clients, loop.create_future()

    def ended() -> None:
        nonlocal left
        left -= 1
        if not left and not over.done():
            over.set_result(None)

    for _ in range(clients):
        await loop.create_connection(lambda: Client(requests, answers, began + seconds, ended), "127.0.0.1", port)
    await over
    answers.took = time.perf_counter() - began
    return answers


async def steady(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> Answers:
    """Send requests at a steady rate, each on a new connection and timed from when it was due; return the replies."""
    answers, began = Answers(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(_send_one(port, next(requests), due, answers))
    answers.took = time.perf_counter() - began
    return answers


async def _send_one(port: int, request: bytes, due: float, answers: Answers) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(_end(head, 0))
    writer.close()
    answers.note(int(head[9:12]), time.perf_counter() - due)
