"""An engine for API processes without torch: it sends requests to the inference workers.

A request is a mark in Redis (see `redis_codec`), and its id and parameters in a Celery message. Requests that arrive
while a message is being sent go together into the next one. The replies to all requests of this process arrive in one
list, which one thread reads: a thousand clients may wait without a thread or a connection each.
"""

import math
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.core.concurrency import MicroBatcher
from app.core.disk_full import no_room
from app.core.errors import ForgerError, NoEngine, NotReady
from app.core.logging import get_logger
from app.core.names import INFER_TASK, INFERENCE_QUEUE
from app.core.settings import Settings
from app.services import broker, queue
from app.services.inference import redis_codec
from app.services.inference.redis_codec import REDIS_ERRORS, PayloadUnreadable
from data.levels import bits_of
from models.spec.recipe import Recipe
from serving import attempts as attempt_rows
from serving.protocol import (
    Array,
    Backlog,
    CriticFile,
    Direction,
    ExportFlawed,
    Method,
    Overloaded,
    Pick,
    Turns,
    WorkKind,
    queue_weight,
    search_weight,
)
from serving.thread_priority import use_batch_scheduling

log = get_logger(__name__)

PICTURE_THREADS = 4
"""threads that send pictures to Redis and delete the marks of withdrawn requests; none waits for a reply"""
REQUESTS_PER_MESSAGE = 64
"""maximum of requests in a message, and of replies read at once"""
READ_TIMEOUT_S = 1
RETRY_PAUSE_S = 0.2
"""pause before the next read while Redis is unreachable"""
NO_NETWORKS = (
    "This API process has no networks of its own (FORGER_INFERENCE=workers): "
    "send this to an API that runs where torch is, as in the image `worker`."
)


@dataclass(eq=False)
class _PendingRequest:
    """A request that waits for its reply."""

    kind: WorkKind
    pictures: int
    parameters: dict[str, Any]
    future: Future[Array] = field(default_factory=Future)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    since: float = field(default_factory=time.monotonic)
    ahead: int = 0
    """waiting pictures when it was entered, with its own"""


class RemoteEngine:
    """An engine with the interface of serving.engine.Engine."""

    def __init__(self, settings: Settings) -> None:
        self.deadline = settings.deadline_s
        self._home = settings.home
        self._redis = redis_codec.connect(settings, retries=1)
        self._lock = threading.Lock()
        self._waiting: dict[str, _PendingRequest] = {}
        self._backlog = Backlog(settings.queue_pictures)
        self._replies = redis_codec.replies_key(secrets.token_hex(16))
        self._sender = MicroBatcher(
            "inference-sender", self._send, max_batch=REQUESTS_PER_MESSAGE, initializer=use_batch_scheduling
        )
        self._picture_threads = ThreadPoolExecutor(PICTURE_THREADS, thread_name_prefix="inference-carrier")
        # No retries: when the server is lost, the replies on their way are lost too, and that must be noticed.
        self._inbox = redis_codec.connect(settings, retries=0)
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, name="inference-reader", daemon=True)
        self._reader.start()

    def check(self) -> None:
        """Raise Overloaded if not one more picture may wait."""
        with self._lock:
            self._backlog.check(1)

    def sample(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Request pictures. Raises Overloaded.

        The future raises Overloaded if the workers have no room, NotReady if Redis is unreachable.
        """
        return self._draw("sample", path, picks, seed, temperature, truncation)

    def latents(
        self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0, truncation: float | None = None
    ) -> Future[Array]:
        """Request the latents of pictures; errors as for `sample`."""
        return self._draw("latents", path, picks, seed, temperature, truncation)

    def decode(self, path: Path, latents: Array, weights: Array | None = None) -> Future[Array]:
        """Request the pictures of latents; errors as for `sample`."""
        parameters = {"export": path.name, "weights": None if weights is None else weights.tolist()}
        return self._send_array(_PendingRequest("sample", len(latents), parameters), latents)

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """Request the translation of a picture; errors as for `sample`."""
        parameters = {"export": path.name, "direction": direction, "pixels": pixels}
        return self._send_array(_PendingRequest("translate", queue_weight(image, pixels), parameters), image)

    def _draw(
        self,
        kind: WorkKind,
        path: Path,
        picks: Sequence[Pick],
        seed: int,
        temperature: float,
        truncation: float | None,
    ) -> Future[Array]:
        options = {"seed": seed, "temperature": temperature, "truncation": truncation}
        parameters = {"kind": kind, "export": path.name, "picks": picks, **options}
        pending = self._enter(_PendingRequest(kind, len(picks), parameters))
        self._sender.put(pending)
        return pending.future

    def _send_array(self, request: _PendingRequest, array: Array) -> Future[Array]:
        pending = self._enter(request)
        self._picture_threads.submit(self._send, [pending], array)
        return pending.future

    def features(self, path: Path, pictures: Array, critic: CriticFile | None) -> Future[Array]:
        """Request the features of pictures; errors as for `sample`."""
        parameters = {"export": path.name, "critic": self._file(critic)}
        return self._send_array(_PendingRequest("features", len(pictures), parameters), pictures)

    def search(
        self, path: Path, picture: Array, attempts: Array, turns: Turns, critic: CriticFile | None
    ) -> Future[Array]:
        """Request a part of a search; errors as for `sample`."""
        parameters = {
            "export": path.name,
            "critic": self._file(critic),
            "picture": picture.shape,
            "bits": bits_of(picture),
            "columns": attempts.shape[1],
            "turns": asdict(turns),
        }
        request = _PendingRequest("search", search_weight(attempts, turns), parameters)
        return self._send_array(request, attempt_rows.with_picture(picture, attempts))

    def directions(self, path: Path, method: Method, n: int, seed: int) -> Future[Array]:
        """Request directions; errors as for `sample`."""
        parameters = {"export": path.name, "method": method, "n": n, "seed": seed}
        pending = self._enter(_PendingRequest("directions", 1, parameters))
        self._sender.put(pending)
        return pending.future

    def _file(self, critic: CriticFile | None) -> dict[str, str] | None:
        if critic is None:
            return None
        return {"path": str(critic.path.relative_to(self._home)), "sha256": critic.sha256}

    def export(self, recipe: Recipe, checkpoint_file: Path, out: Path, *, threads: int) -> None:
        """Raise NoEngine: this process has no networks."""
        raise NoEngine(NO_NETWORKS)

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Return the number of pictures that this process waits for; only the workers count batches."""
        return self._backlog.pictures, ()

    def close(self) -> None:
        """Cancel the waiting requests and end the threads."""
        self._closed.set()
        for pending in self._all_waiting():
            pending.future.cancel()
        self._sender.close()
        self._picture_threads.shutdown()
        self._reader.join()
        self._redis.close()
        self._inbox.close()

    def _enter(self, pending: _PendingRequest) -> _PendingRequest:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("The engine is closed.")
            self._backlog.check(pending.pictures)
            self._backlog.enter(pending.kind, pending.pictures)
            pending.ahead = self._backlog.pictures
            self._waiting[pending.id] = pending
        pending.future.add_done_callback(lambda _: self._leave(pending))
        return pending

    def _leave(self, pending: _PendingRequest) -> None:
        """Forget a request that has ended. Delete the mark of a withdrawn one, so that the workers drop it."""
        with self._lock:
            self._waiting.pop(pending.id, None)
            self._backlog.leave(pending.kind, pending.pictures)
        if pending.future.cancelled() and not self._closed.is_set():
            self._picture_threads.submit(self._unmark, [pending])

    def _send(self, outgoing: list[_PendingRequest], array: Array | None = None) -> None:
        """Send requests. `array`, a picture or latents, belongs to the only one of them."""
        outgoing = _still_wanted(outgoing)
        try:
            self._mark(outgoing, array)
            # When they were withdrawn, their marks may not have been there yet.
            if withdrawn := [pending for pending in outgoing if pending.future.done()]:
                self._unmark(withdrawn)
            if outgoing := _still_wanted(outgoing):
                self._post([{"id": pending.id, **pending.parameters} for pending in outgoing])
        except broker.ERRORS as error:
            log.warning("requests_not_sent", error=str(error), requests=len(outgoing))
            self._complete_all(outgoing, _broker_away(error))
        except Exception as error:  # any error must reach the waiting clients
            self._complete_all(outgoing, error)

    def _mark(self, outgoing: list[_PendingRequest], array: Array | None) -> None:
        payload, lifetime_s = redis_codec.pack({}, array), math.ceil(self.deadline)
        with self._redis.pipeline(transaction=False) as pipe:
            for pending in outgoing:
                pipe.set(redis_codec.mark_key(pending.id), payload, ex=lifetime_s)
            pipe.execute()

    def _post(self, requests: list[dict[str, Any]]) -> None:
        """Send a message. Retry once, because a connection may be stale; not longer, because a client waits."""
        message = {"answers": self._replies, "requests": requests}
        policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        queue.celery().send_task(INFER_TASK, kwargs=message, queue=INFERENCE_QUEUE, retry=True, retry_policy=policy)

    def _unmark(self, withdrawn: list[_PendingRequest]) -> None:
        try:
            self._redis.delete(*(redis_codec.mark_key(pending.id) for pending in withdrawn))
        except REDIS_ERRORS as error:
            log.warning(
                "requests_not_cancelled", error=str(error), consequence="the workers compute them although nobody waits"
            )

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                payloads = self._next_replies()
            except REDIS_ERRORS as error:
                self._lose(error)
                self._closed.wait(RETRY_PAUSE_S)
                continue
            for payload in payloads:
                self._open(payload)

    def _next_replies(self) -> list[Any]:
        """Wait for a reply, and return it with others that are there; none after READ_TIMEOUT_S."""
        popped: Any = self._inbox.blpop([self._replies], timeout=READ_TIMEOUT_S)
        if popped is None:
            return []
        more: Any = self._inbox.lpop(self._replies, REQUESTS_PER_MESSAGE) if len(self._waiting) > 1 else None
        return [popped[1], *(more or ())]

    def _open(self, payload: Any) -> None:
        try:
            head, array = redis_codec.unpack(payload)
        except PayloadUnreadable as error:  # a foreign payload must not end the reader
            log.error("reply_not_read", error=str(error))
            return
        self._complete(str(head.get("id")), _outcome(head, array))

    def _lose(self, error: Exception) -> None:
        """Fail all waiting requests: replies on their way are lost with the connection."""
        lost = self._all_waiting()
        if lost:
            log.warning("broker_lost", error=str(error), requests=len(lost))
        self._complete_all(lost, _broker_away(error))

    def _complete_all(self, ended: list[_PendingRequest], outcome: Exception) -> None:
        for pending in ended:
            self._complete(pending.id, outcome)

    def _complete(self, id_: str, outcome: Array | Exception) -> None:
        """Complete the future of a request, unless nobody waits for it any more."""
        with self._lock:
            pending = self._waiting.pop(id_, None)
        if pending is None or not pending.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            pending.future.set_exception(outcome)
            return
        with self._lock:
            # In this time all workers together have made the pictures that waited ahead.
            self._backlog.measure(pending.kind, time.monotonic() - pending.since, pending.ahead)
        pending.future.set_result(outcome)

    def _all_waiting(self) -> list[_PendingRequest]:
        with self._lock:
            return list(self._waiting.values())


def _still_wanted(pending: list[_PendingRequest]) -> list[_PendingRequest]:
    return [request for request in pending if not request.future.done()]


def _outcome(head: dict[str, Any], array: Array | None) -> Array | Exception:
    if array is not None:
        return array
    match head:
        case {"retry_after": int() | float() as seconds} if math.isfinite(seconds):
            return Overloaded(seconds)
        case {"export": str(export), "flaw": str(flaw)}:
            return ExportFlawed(export, flaw)
        case {"withdrawn": True}:
            sentence = (
                "The inference worker stopped, or its broker was wiped, before it replied. Send the request again."
            )
            return NotReady(sentence, code="engine_away", headers={"Retry-After": "2"})
    return RuntimeError(f"The inference worker failed: {head.get('error', 'it gave no reason')}")


def _broker_away(error: Exception) -> ForgerError:
    if (refusal := no_room(error)) is not None:
        return refusal
    sentence = "The broker between this API and its inference workers does not answer: start it, then send this again."
    return NotReady(sentence, code="broker_away", headers={"Retry-After": "2"})
