"""Run requests of API processes without torch on the engine, and send back the results.

A request only enters the engine's queue, so that the engine can batch all waiting requests. Other threads send the
replies: the engine never waits for Redis.
"""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.core.concurrency import MicroBatcher
from app.core.logging import get_logger
from app.core.settings import Settings
from app.core.store import Store
from app.services.inference import redis_codec
from app.services.inference.redis_codec import REDIS_ERRORS
from serving.attempts import without_picture
from serving.protocol import AnyEngine, Array, CriticFile, ExportFlawed, Overloaded, Turns
from serving.thread_priority import use_batch_scheduling

log = get_logger(__name__)

WITHDRAWAL_CHECK_S = 0.25
"""seconds between two checks whether the API still waits for the queued requests"""
SMALL_REPLY_BYTES = 1 << 18
"""size up to which a reply is sent together with others"""
MAX_REPLIES_PER_PUSH = 64
"""replies sent together at most"""
LARGE_REPLY_THREADS = 2
"""threads that send large replies"""


@dataclass(frozen=True, slots=True)
class _Reply:
    id: str
    answers: str
    encode: Callable[[], bytes]


class Replier:
    """The Celery task `take` and the threads that reply. Create it after importing torch; close it before exiting."""

    def __init__(self, engine: AnyEngine, settings: Settings) -> None:
        self._engine = engine
        self._store = Store(settings.artifacts)
        self._home = settings.home
        self._redis = redis_codec.connect(settings, retries=1)
        self._waiting: dict[str, Future[Array]] = {}
        self._replier = MicroBatcher(
            "replier", self._reply, max_batch=MAX_REPLIES_PER_PUSH, initializer=use_batch_scheduling
        )
        self._large = ThreadPoolExecutor(LARGE_REPLY_THREADS, thread_name_prefix="large-replier")
        self._stop = threading.Event()
        self._withdrawer = threading.Thread(target=self._withdraw, name="withdrawer", daemon=True)
        self._withdrawer.start()

    def take(self, answers: str, requests: list[dict[str, Any]]) -> None:
        """Queue the requests on the engine; `answers` is the Redis list for the replies.

        Skip a request whose mark in Redis is missing or taken, because a message may arrive twice. Reply at once to a
        request that cannot be queued. A request that cannot be read does not affect the others.
        """
        named = [request for request in requests if isinstance(request, dict) and isinstance(request.get("id"), str)]
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for request in named:
                    pipe.set(redis_codec.mark_key(request["id"]), b"", xx=True, get=True, keepttl=True)
                payloads: list[Any] = pipe.execute(raise_on_error=False)
        except REDIS_ERRORS as error:
            log.warning("requests_not_received", error=str(error), requests=len(named), consequence="the API says 503")
            return
        if len(named) < len(requests):
            log.warning("requests_skipped", requests=len(requests) - len(named), reason="They have no id.")
        for request, payload in zip(named, payloads, strict=True):
            if isinstance(payload, bytes) and payload:
                self._start(answers, payload, request)

    def _start(self, answers: str, payload: bytes, request: dict[str, Any]) -> None:
        id_: str = request["id"]
        try:
            _, array = redis_codec.unpack(payload)
            future = self._enqueue(request["export"], array, request)
        except Exception as error:  # any error must reach the API, which waits for a reply
            encoded = _encode_error(id_, error)
            self._replier.put(_Reply(id_, answers, lambda: encoded))
            return
        self._waiting[id_] = future
        future.add_done_callback(lambda done: self._done(id_, answers, done))

    def close(self) -> None:
        """Reply to the batch that the engine computes, and tell all waiting requests to come again; then stop."""
        self._stop.set()
        self._withdrawer.join()
        self._engine.close()
        self._replier.close()
        self._large.shutdown()
        self._redis.close()

    def _enqueue(self, export: str, array: Array | None, request: dict[str, Any]) -> Future[Array]:
        path = self._store.path(export)
        if "method" in request:
            return self._engine.directions(path, request["method"], request["n"], request["seed"])
        if array is None:
            return self._draw(path, request)
        if "turns" in request:
            picture, attempts = without_picture(array, request["picture"], request["bits"], request["columns"])
            return self._engine.search(
                path, picture, attempts, Turns(**request["turns"]), self._critic(request["critic"])
            )
        if "critic" in request:
            return self._engine.features(path, array, self._critic(request["critic"]))
        if "direction" in request:
            return self._engine.translate(path, array, request["direction"], pixels=request["pixels"])
        weights = request["weights"]
        return self._engine.decode(path, array, None if weights is None else np.array(weights, np.float32))

    def _draw(self, path: Path, request: dict[str, Any]) -> Future[Array]:
        draw = self._engine.latents if request.get("kind") == "latents" else self._engine.sample
        picks = [(label, index) for label, index in request["picks"]]
        seed, temperature = request["seed"], request["temperature"]
        return draw(path, picks, seed=seed, temperature=temperature, truncation=request.get("truncation"))

    def _critic(self, file: dict[str, str] | None) -> CriticFile | None:
        return None if file is None else CriticFile(self._home / file["path"], file["sha256"])

    def _done(self, id_: str, answers: str, future: Future[Array]) -> None:
        self._waiting.pop(id_, None)
        reply = _Reply(id_, answers, lambda: _encode_reply(id_, future))
        if _result_bytes(future) > SMALL_REPLY_BYTES:
            self._large.submit(self._reply, [reply])
        else:
            self._replier.put(reply)

    def _reply(self, replies: list[_Reply]) -> None:
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for reply in replies:
                    pipe.rpush(reply.answers, reply.encode())
                for answers in {reply.answers for reply in replies}:
                    pipe.expire(answers, redis_codec.REPLY_LIFETIME_S)
                pipe.delete(*(redis_codec.mark_key(reply.id) for reply in replies))
                pipe.execute()
        except REDIS_ERRORS as error:
            log.warning("replies_not_sent", error=str(error), requests=len(replies), consequence="the API says 503")

    def _withdraw(self) -> None:
        """Cancel queued requests whose mark in Redis is gone: the API no longer waits for them."""
        while not self._stop.wait(WITHDRAWAL_CHECK_S):
            waiting = dict(self._waiting)
            gone = self._unmarked(list(waiting))
            if gone:
                log.info("requests_cancelled", requests=gone)
            for id_ in gone:
                waiting[id_].cancel()

    def _unmarked(self, ids: list[str]) -> list[str]:
        """Return the ids whose mark is gone. Without Redis these are all: no reply could be sent anyway."""
        if not ids:
            return []
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for id_ in ids:
                    pipe.exists(redis_codec.mark_key(id_))
                marks: list[int] = pipe.execute()
        except REDIS_ERRORS as error:
            log.warning("broker_lost", error=str(error), requests=len(ids))
            return ids
        return [id_ for id_, mark in zip(ids, marks, strict=True) if not mark]


def _result_bytes(done: Future[Array]) -> int:
    return 0 if done.cancelled() or done.exception() else done.result().nbytes


def _encode_reply(id_: str, future: Future[Array]) -> bytes:
    try:
        return redis_codec.pack({"id": id_}, future.result())
    except CancelledError:
        return redis_codec.pack({"id": id_, "withdrawn": True})
    except Exception as error:
        return _encode_error(id_, error)


def _encode_error(id_: str, error: Exception) -> bytes:
    if isinstance(error, Overloaded):
        return redis_codec.pack({"id": id_, "retry_after": error.retry_after})
    if isinstance(error, ExportFlawed):
        return redis_codec.pack({"id": id_, "export": error.sha256, "flaw": error.how})
    log.error("request_failed", error=str(error), exc_info=error)
    return redis_codec.pack({"id": id_, "error": str(error) or type(error).__name__})
