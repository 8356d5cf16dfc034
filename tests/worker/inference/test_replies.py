"""The Replier between Redis and the engine, both real: computed replies, withdrawn requests, and refusals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from redis import Redis

from app.core.settings import get_settings
from app.core.store import Store
from app.services.inference import redis_codec
from models.spec.resolve import resolve
from serving.engine import Engine
from tests.support.exports import write_vivid
from tests.support.wait import until
from tests.support.worker import running_redis
from worker.inference.replies import Replier

MANY = 200_000
"""so many pictures that the request is still queued when it is withdrawn"""
REPLIES_KEY = redis_codec.replies_key("test")


@pytest.fixture
def redis(home: Path) -> Iterator[Redis]:
    with running_redis(), redis_codec.connect(get_settings(), retries=0) as client:
        yield client


@pytest.fixture
def engine(home: Path) -> Engine:
    """An engine; the Replier that uses it closes it."""
    return Engine(device="cpu", threads=1, bound=100, flaw=Store(get_settings().artifacts).defect)


@pytest.fixture
def replier(redis: Redis, engine: Engine) -> Iterator[Replier]:
    replier = Replier(engine, get_settings())
    yield replier
    replier.close()


@pytest.fixture
def export(home: Path, tmp_path: Path) -> str:
    _, recipe = resolve("gan", dataset="ring8", seed=1)
    path = tmp_path / "some.safetensors"
    write_vivid(path, recipe)
    return Store(get_settings().artifacts).put_file(path)


def message(export: str, id_: str = "one", n: int = 3) -> dict[str, Any]:
    """Return the arguments of a message with one request."""
    picks = [[None, index] for index in range(n)]
    request = {"id": id_, "export": export, "picks": picks, "seed": 1, "temperature": 1.0}
    return {"answers": REPLIES_KEY, "requests": [request]}


def await_reply(redis: Redis, id_: str = "one") -> None:
    """Set the mark of a client that waits for the reply."""
    redis.set(redis_codec.mark_key(id_), redis_codec.pack({}), ex=60)


def next_reply(redis: Redis) -> tuple[dict[str, Any], Any]:
    popped: Any = until(lambda: redis.lpop(REPLIES_KEY))
    return redis_codec.unpack(popped)


def test_reply_equals_the_engines_pictures_and_removes_the_mark(
    redis: Redis, engine: Engine, replier: Replier, export: str
) -> None:
    await_reply(redis)
    replier.take(**message(export))
    head, array = next_reply(redis)
    path = Store(get_settings().artifacts).path(export)
    assert head["id"] == "one"
    assert (array == engine.sample(path, [(None, index) for index in range(3)], seed=1).result()).all()
    assert until(lambda: not redis.keys("*"))


def test_request_without_a_mark_is_not_computed(redis: Redis, engine: Engine, replier: Replier, export: str) -> None:
    replier.take(**message(export))
    await_reply(redis, "two")
    replier.take(**message(export, "two", n=5))
    assert next_reply(redis)[0]["id"] == "two"
    assert sum(n * turns for n, turns in enumerate(engine.load()[1])) == 5


def test_requests_of_one_message_get_separate_replies(redis: Redis, replier: Replier, export: str) -> None:
    requests = [message(export, id_, n)["requests"][0] for id_, n in (("one", 1), ("gone", 2), ("three", 3))]
    requests.append(message("0" * 64, "bad")["requests"][0])
    for id_ in ("one", "three", "bad"):
        await_reply(redis, id_)
    replier.take(REPLIES_KEY, requests)
    replies = [next_reply(redis) for _ in range(3)]
    assert {head["id"]: None if array is None else len(array) for head, array in replies} == {
        "one": 1,
        "three": 3,
        "bad": None,
    }
    assert until(lambda: not redis.keys("*"))


def test_damaged_export_is_named_in_the_reply(redis: Redis, replier: Replier, export: str) -> None:
    path = Store(get_settings().artifacts).path(export)
    path.write_bytes(path.read_bytes()[:-1])
    await_reply(redis)
    replier.take(**message(export))
    head, _ = next_reply(redis)
    assert head == {"id": "one", "export": export, "flaw": "damaged"}


def test_repeated_message_is_computed_once(redis: Redis, replier: Replier, export: str) -> None:
    await_reply(redis)
    replier.take(**message(export, n=MANY))
    replier.take(**message(export, n=MANY))
    await_reply(redis, "other")
    replier.take(**message(export, "other"))
    assert redis.exists(redis_codec.mark_key("one"))
    assert next_reply(redis)[0]["id"] == "other"
    redis.delete(redis_codec.mark_key("one"))


def test_deleting_the_mark_withdraws_a_queued_request(
    redis: Redis, engine: Engine, replier: Replier, export: str
) -> None:
    await_reply(redis)
    replier.take(**message(export, n=MANY))
    redis.delete(redis_codec.mark_key("one"))
    assert next_reply(redis)[0] == {"id": "one", "withdrawn": True}
    until(lambda: engine.load()[0] == 0)
    assert sum(n * turns for n, turns in enumerate(engine.load()[1])) < MANY


def test_full_queue_and_missing_export_are_reported(
    redis: Redis, engine: Engine, replier: Replier, export: str
) -> None:
    for id_ in ("large", "small", "bad"):
        await_reply(redis, id_)
    replier.take(**message(export, "large", n=MANY))
    replier.take(**message(export, "small"))
    head, _ = next_reply(redis)
    assert head["id"] == "small"
    assert head["retry_after"] > 0
    redis.delete(redis_codec.mark_key("large"))
    assert next_reply(redis)[0] == {"id": "large", "withdrawn": True}
    until(lambda: engine.load()[0] == 0)  # the engine frees the queue at its next turn
    replier.take(**message("0" * 64, "bad"))
    assert next_reply(redis)[0] == {"id": "bad", "export": "0" * 64, "flaw": "missing"}


def test_close_withdraws_queued_requests(redis: Redis, engine: Engine, export: str) -> None:
    replier = Replier(engine, get_settings())
    await_reply(redis)
    replier.take(**message(export, n=MANY))
    replier.close()
    assert next_reply(redis)[0] == {"id": "one", "withdrawn": True}


def test_redis_codec_preserves_arrays_and_their_types() -> None:
    for dtype in ("u1", "f4", "i8"):
        array = np.arange(12).reshape(2, 3, 2).astype(dtype)
        head, unpacked = redis_codec.unpack(redis_codec.pack({"id": "x\n"}, array))
        assert head["id"] == "x\n"
        assert unpacked is not None
        assert (unpacked == array).all()
        assert unpacked.dtype == array.dtype
        unpacked[...] = 0
    assert redis_codec.unpack(redis_codec.pack({"a": 1})) == ({"a": 1}, None)


def test_unreadable_requests_do_not_affect_the_others(
    redis: Redis, engine: Engine, replier: Replier, export: str
) -> None:
    await_reply(redis)
    await_reply(redis, "bare")
    redis.set(redis_codec.mark_key("torn"), b"no parcel")
    redis.rpush(redis_codec.mark_key("list"), b"no mark")
    mixed = message(export)
    unreadable: list[Any] = [7, None, {}, {"id": 7}, {"id": "bare"}, {"id": "torn", "export": export}, {"id": "list"}]
    mixed["requests"] = [*unreadable, *mixed["requests"]]
    replier.take(**mixed)
    replies = {head["id"]: (head, array) for head, array in (next_reply(redis) for _ in range(3))}
    assert replies.keys() == {"bare", "torn", "one"}
    assert replies["one"][1] is not None
    assert "error" in replies["bare"][0]
    assert "error" in replies["torn"][0]
