"""Run requests of API processes without torch on the engine, and send back the results.

Taking a request only puts it into the engine's queue, so that the engine sees all that waits and batches it. Answers
leave on threads of their own: the engine never waits for Redis.
"""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from app.core.logging import get_logger
from app.core.micro_batcher import Gatherer
from app.core.settings import Settings
from app.core.store import Store
from app.services.inference import redis_codec
from app.services.inference.redis_codec import AWAY
from serving.protocol import AnyEngine, Array, ExportFlawed, Overloaded
from serving.thread_priority import use_batch_scheduling

log = get_logger(__name__)

LOOK_S = 0.25
"""between two looks at the marks of what waits for the engine"""
FEW_BYTES = 1 << 18
"""of an answer that leaves with others"""
MOST = 64
"""answers that leave together"""
REPLIERS = 2
"""threads for large answers"""


@dataclass(frozen=True, slots=True)
class _Reply:
    id: str
    answers: str
    parcel: Callable[[], bytes]


class Answering:
    """`take` is the Celery task. Start one after torch, close it before the process ends."""

    def __init__(self, engine: AnyEngine, settings: Settings) -> None:
        self._engine = engine
        self._store = Store(settings.artifacts)
        self._redis = redis_codec.connect(settings, retries=1)
        self._waiting: dict[str, Future[Array]] = {}
        self._replier = Gatherer("replier", self._reply, most=MOST, initializer=use_batch_scheduling)
        self._large = ThreadPoolExecutor(REPLIERS, thread_name_prefix="large-replier")
        self._stop = threading.Event()
        self._minder = threading.Thread(target=self._mind, name="minder", daemon=True)
        self._minder.start()

    def take(self, answers: str, requests: list[dict[str, Any]]) -> None:
        """Nothing is made for a request whose mark is gone, or was taken: a message may come twice.

        A request that cannot be queued is answered at once; one that cannot be read costs the others nothing.
        """
        named = [request for request in requests if isinstance(request, dict) and isinstance(request.get("id"), str)]
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for request in named:
                    pipe.set(redis_codec.mark(request["id"]), b"", xx=True, get=True, keepttl=True)
                held: list[Any] = pipe.execute(raise_on_error=False)
        except AWAY as error:
            log.warning("requests_not_taken", error=str(error), requests=len(named), consequence="the API says 503")
            return
        if len(named) < len(requests):
            log.warning("requests_skipped", requests=len(requests) - len(named), reason="They have no id.")
        for request, parcel in zip(named, held, strict=True):
            if isinstance(parcel, bytes) and parcel:
                self._begin(answers, parcel, request)

    def _begin(self, answers: str, parcel: bytes, asked: dict[str, Any]) -> None:
        id_: str = asked["id"]
        try:
            _, image = redis_codec.unpack(parcel)
            future = self._enter(asked["export"], image, asked)
        except Exception as error:  # whoever waits must be told, whatever it is
            refusal = _refused(id_, error)
            self._replier.put(_Reply(id_, answers, lambda: refusal))
            return
        self._waiting[id_] = future
        future.add_done_callback(lambda done: self._done(id_, answers, done))

    def close(self) -> None:
        """The engine's turn in hand is answered, what waits is told to ask again."""
        self._stop.set()
        self._minder.join()
        self._engine.close()
        self._replier.close()
        self._large.shutdown()
        self._redis.close()

    def _enter(self, export: str, image: Array | None, asked: dict[str, Any]) -> Future[Array]:
        path = self._store.path(export)
        if image is not None:
            return self._engine.translate(path, image, asked["direction"], pixels=asked["pixels"])
        picks = [(label, index) for label, index in asked["picks"]]
        return self._engine.sample(path, picks, seed=asked["seed"], temperature=asked["temperature"])

    def _done(self, id_: str, answers: str, future: Future[Array]) -> None:
        self._waiting.pop(id_, None)
        reply = _Reply(id_, answers, lambda: _answer(id_, future))
        if _bytes(future) > FEW_BYTES:
            self._large.submit(self._reply, [reply])
        else:
            self._replier.put(reply)

    def _reply(self, replies: list[_Reply]) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for reply in replies:
                    pipe.rpush(reply.answers, reply.parcel())
                for answers in {reply.answers for reply in replies}:
                    pipe.expire(answers, redis_codec.ANSWER_S)
                pipe.delete(*(redis_codec.mark(reply.id) for reply in replies))
                pipe.execute()
        except AWAY as error:
            log.warning("answers_lost", error=str(error), requests=len(replies), consequence="the API says 503")

    def _mind(self) -> None:
        """Withdraws what nobody waits for any more."""
        while not self._stop.wait(LOOK_S):
            waiting = dict(self._waiting)
            gone = self._unmarked(list(waiting))
            if gone:
                log.info("withdrawn", requests=gone)
            for id_ in gone:
                waiting[id_].cancel()

    def _unmarked(self, ids: list[str]) -> list[str]:
        """Without Redis nobody can be answered, and every API has told its clients so."""
        if not ids:
            return []
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.exists(redis_codec.mark(id_))
                there: list[int] = pipe.execute()
        except AWAY as error:
            log.warning("broker_lost", error=str(error), requests=len(ids))
            return ids
        return [id_ for id_, found in zip(ids, there, strict=True) if not found]


def _bytes(done: Future[Array]) -> int:
    return 0 if done.cancelled() or done.exception() else done.result().nbytes


def _answer(id_: str, future: Future[Array]) -> bytes:
    try:
        return redis_codec.pack({"id": id_}, future.result())
    except CancelledError:
        return redis_codec.pack({"id": id_, "withdrawn": True})
    except Exception as error:
        return _refused(id_, error)


def _refused(id_: str, error: Exception) -> bytes:
    if isinstance(error, Overloaded):
        return redis_codec.pack({"id": id_, "retry_after": error.retry_after})
    if isinstance(error, ExportFlawed):
        return redis_codec.pack({"id": id_, "export": error.sha256, "flaw": error.how})
    log.error("not_made", error=str(error), exc_info=error)
    return redis_codec.pack({"id": id_, "error": str(error) or type(error).__name__})
