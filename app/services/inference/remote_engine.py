"""An engine for API processes without torch: it sends requests to the inference workers.

A request is a mark in Redis (see parcels) and its id and parameters in a Celery message: those that come while one is
being sent leave together in the next. Answers to all requests of this process come in one list, which one thread reads:
a thousand clients may wait, and none holds a thread or a connection.
"""

import math
import secrets
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.core.disk_full import no_room
from app.core.errors import ForgerError, NoEngine, NotReady
from app.core.logging import get_logger
from app.core.micro_batcher import Gatherer
from app.core.names import INFER, INFERENCE
from app.core.settings import Settings
from app.services import broker, queue
from app.services.inference import redis_codec
from app.services.inference.redis_codec import AWAY, Unreadable
from models.spec.recipe import Recipe
from serving.protocol import Array, Backlog, Direction, ExportFlawed, Overloaded, Pick, WorkKind, queue_weight
from serving.thread_priority import use_batch_scheduling

log = get_logger(__name__)

CARRIERS = 4
"""threads that hand uploaded pictures to Redis, and take back what is withdrawn; none waits for an answer"""
TOGETHER = 64
"""requests of a message, and answers read at once"""
READ_S = 1
PAUSE_S = 0.2
"""between two looks for a Redis that is away"""
WITHOUT_NETWORKS = (
    "This API process has no networks of its own (FORGER_INFERENCE=workers): "
    "send this to an API that runs where torch is, as in the image `worker`."
)


@dataclass(eq=False)
class _Asked:
    kind: WorkKind
    pictures: int
    told: dict[str, Any]
    """its parameters"""
    future: Future[Array] = field(default_factory=Future)
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    since: float = field(default_factory=time.monotonic)
    ahead: int = 0
    """pictures that waited when it came, its own among them"""


class RemoteEngine:
    """As serving.engine.Engine for whoever asks."""

    def __init__(self, settings: Settings) -> None:
        self.deadline = settings.deadline_s
        self._redis = redis_codec.connect(settings, retries=1)
        self._lock = threading.Lock()
        self._waiting: dict[str, _Asked] = {}
        self._backlog = Backlog(settings.queue_pictures)
        self._answers = redis_codec.answers(secrets.token_hex(16))
        self._sender = Gatherer("inference-sender", self._send, most=TOGETHER, initializer=use_batch_scheduling)
        self._carriers = ThreadPoolExecutor(CARRIERS, thread_name_prefix="inference-carrier")
        # Without a retry of its own: a list that was lost with its server must be noticed.
        self._inbox = redis_codec.connect(settings, retries=0)
        self._closed = threading.Event()
        self._reader = threading.Thread(target=self._read, name="inference-reader", daemon=True)
        self._reader.start()

    def check(self) -> None:
        """Raises Overloaded where not one more picture may wait."""
        with self._lock:
            self._backlog.check(1)

    def sample(self, path: Path, picks: Sequence[Pick], *, seed: int, temperature: float = 1.0) -> Future[Array]:
        """Raises Overloaded; so may the future, when the workers have no room either. NotReady when Redis is away."""
        told = {"export": path.name, "picks": picks, "seed": seed, "temperature": temperature}
        asked = self._enter(_Asked("sample", len(picks), told))
        self._sender.put(asked)
        return asked.future

    def translate(self, path: Path, image: Array, direction: Direction, *, pixels: int = 0) -> Future[Array]:
        """As `sample`."""
        told = {"export": path.name, "direction": direction, "pixels": pixels}
        asked = self._enter(_Asked("translate", queue_weight(image, pixels), told))
        self._carriers.submit(self._send, [asked], image)
        return asked.future

    def export(self, recipe: Recipe, saved: Path, out: Path, *, threads: int) -> None:
        """Raises NoEngine."""
        raise NoEngine(WITHOUT_NETWORKS)

    def load(self) -> tuple[int, tuple[int, ...]]:
        """Pictures that this process waits for. The turns are counted by the workers and not told."""
        return self._backlog.pictures, ()

    def close(self) -> None:
        """Cancel what waits, end the threads."""
        self._closed.set()
        for asked in self._all_waiting():
            asked.future.cancel()
        self._sender.close()
        self._carriers.shutdown()
        self._reader.join()
        self._redis.close()
        self._inbox.close()

    def _enter(self, asked: _Asked) -> _Asked:
        with self._lock:
            if self._closed.is_set():
                raise RuntimeError("The engine is closed.")
            self._backlog.check(asked.pictures)
            self._backlog.enter(asked.kind, asked.pictures)
            asked.ahead = self._backlog.pictures
            self._waiting[asked.id] = asked
        asked.future.add_done_callback(lambda _: self._leave(asked))
        return asked

    def _leave(self, asked: _Asked) -> None:
        """However it ends. Of a request that was withdrawn the workers learn by its mark."""
        with self._lock:
            self._waiting.pop(asked.id, None)
            self._backlog.leave(asked.kind, asked.pictures)
        if asked.future.cancelled() and not self._closed.is_set():
            self._carriers.submit(self._unmark, [asked])

    def _send(self, outgoing: list[_Asked], image: Array | None = None) -> None:
        """`image` belongs to the one that goes with it."""
        outgoing = _still_wanted(outgoing)
        try:
            self._mark(outgoing, image)
            if withdrawn := [asked for asked in outgoing if asked.future.done()]:  # its mark was perhaps not yet there
                self._unmark(withdrawn)
            if outgoing := _still_wanted(outgoing):
                self._post([{"id": asked.id, **asked.told} for asked in outgoing])
        except broker.ERRORS as error:
            log.warning("requests_not_sent", error=str(error), requests=len(outgoing))
            self._settle_all(outgoing, _broker_away(error))
        except Exception as error:  # whoever waits must be told, whatever it is
            self._settle_all(outgoing, error)

    def _mark(self, outgoing: list[_Asked], image: Array | None) -> None:
        parcel, life = redis_codec.pack({}, image), math.ceil(self.deadline)
        with self._redis.pipeline(transaction=False) as pipe:
            for asked in outgoing:
                pipe.set(redis_codec.mark(asked.id), parcel, ex=life)
            pipe.execute()

    def _post(self, requests: list[dict[str, Any]]) -> None:
        """Once more where the connection has gone stale; no longer, for somebody waits."""
        message = {"answers": self._answers, "requests": requests}
        policy = {"max_retries": 1, "interval_start": 0, "interval_step": 0}
        queue.celery().send_task(INFER, kwargs=message, queue=INFERENCE, retry=True, retry_policy=policy)

    def _unmark(self, withdrawn: list[_Asked]) -> None:
        try:
            self._redis.delete(*(redis_codec.mark(asked.id) for asked in withdrawn))
        except AWAY as error:
            log.warning("requests_not_withdrawn", error=str(error), consequence="they are made for nobody")

    def _read(self) -> None:
        while not self._closed.is_set():
            try:
                found = self._next_answers()
            except AWAY as error:
                self._lose(error)
                self._closed.wait(PAUSE_S)
                continue
            for parcel in found:
                self._open(parcel)

    def _next_answers(self) -> list[Any]:
        """Those that are there, once there is one; none after a while."""
        popped: Any = self._inbox.blpop([self._answers], timeout=READ_S)
        if popped is None:
            return []
        more: Any = self._inbox.lpop(self._answers, TOGETHER) if len(self._waiting) > 1 else None
        return [popped[1], *(more or ())]

    def _open(self, parcel: Any) -> None:
        try:
            head, array = redis_codec.unpack(parcel)
        except Unreadable as error:  # not ours: the reader outlives it
            log.error("answer_not_read", error=str(error))
            return
        self._settle(str(head.get("id")), _outcome(head, array))

    def _lose(self, error: Exception) -> None:
        """Answers on their way are lost with the connection."""
        lost = self._all_waiting()
        if lost:
            log.warning("broker_lost", error=str(error), requests=len(lost))
        self._settle_all(lost, _broker_away(error))

    def _settle_all(self, ended: list[_Asked], outcome: Exception) -> None:
        for asked in ended:
            self._settle(asked.id, outcome)

    def _settle(self, id_: str, outcome: Array | Exception) -> None:
        """Nothing happens where nobody waits any more."""
        with self._lock:
            asked = self._waiting.pop(id_, None)
        if asked is None or not asked.future.set_running_or_notify_cancel():
            return
        if isinstance(outcome, Exception):
            asked.future.set_exception(outcome)
            return
        with self._lock:
            # What waited was made in this time, by however many workers there are.
            self._backlog.measure(asked.kind, time.monotonic() - asked.since, asked.ahead)
        asked.future.set_result(outcome)

    def _all_waiting(self) -> list[_Asked]:
        with self._lock:
            return list(self._waiting.values())


def _still_wanted(asked: list[_Asked]) -> list[_Asked]:
    return [each for each in asked if not each.future.done()]


def _outcome(head: dict[str, Any], array: Array | None) -> Array | Exception:
    if array is not None:
        return array
    match head:
        case {"retry_after": int() | float() as seconds} if math.isfinite(seconds):
            return Overloaded(seconds)
        case {"export": str(export), "flaw": str(flaw)}:
            return ExportFlawed(export, flaw)
        case {"withdrawn": True}:
            sentence = "The inference worker stopped, or its broker was wiped, before this was made. Ask again."
            return NotReady(sentence, code="engine_away", headers={"Retry-After": "2"})
    return RuntimeError(f"The inference worker failed: {head.get('error', 'it did not say how')}")


def _broker_away(error: Exception) -> ForgerError:
    if (refusal := no_room(error)) is not None:
        return refusal
    sentence = "The broker between this API and its inference workers does not answer: start it, then ask again."
    return NotReady(sentence, code="broker_away", headers={"Retry-After": "2"})
