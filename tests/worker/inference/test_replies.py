"""Between Redis and the engine, both real: what is taken, what is not, and what is said."""

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

LONG = 200_000
"""pictures that are not made before anybody looks"""
ANSWERS = redis_codec.replies_key("test")


@pytest.fixture
def redis(home: Path) -> Iterator[Redis]:
    with running_redis(), redis_codec.connect(get_settings(), retries=0) as client:
        yield client


@pytest.fixture
def engine(home: Path) -> Engine:
    """Closed by whoever answers with it."""
    return Engine(device="cpu", threads=1, bound=100, flaw=Store(get_settings().artifacts).defect)


@pytest.fixture
def answering(redis: Redis, engine: Engine) -> Iterator[Replier]:
    answering = Replier(engine, get_settings())
    yield answering
    answering.close()


@pytest.fixture
def export(home: Path, tmp_path: Path) -> str:
    _, recipe = resolve("gan", dataset="ring8", seed=1)
    path = tmp_path / "some.safetensors"
    write_vivid(path, recipe)
    return Store(get_settings().artifacts).put_file(path)


def asked(export: str, id_: str = "one", n: int = 3) -> dict[str, Any]:
    picks = [[None, index] for index in range(n)]
    request = {"id": id_, "export": export, "picks": picks, "seed": 1, "temperature": 1.0}
    return {"answers": ANSWERS, "requests": [request]}


def waited_for(redis: Redis, id_: str = "one") -> None:
    redis.set(redis_codec.mark_key(id_), redis_codec.pack({}), ex=60)


def answer(redis: Redis) -> tuple[dict[str, Any], Any]:
    popped: Any = until(lambda: redis.lpop(ANSWERS))
    return redis_codec.unpack(popped)


def test_what_is_made_comes_back_and_leaves_no_mark(
    redis: Redis, engine: Engine, answering: Replier, export: str
) -> None:
    waited_for(redis)
    answering.take(**asked(export))
    head, array = answer(redis)
    path = Store(get_settings().artifacts).path(export)
    assert head["id"] == "one"
    assert (array == engine.sample(path, [(None, index) for index in range(3)], seed=1).result()).all()
    assert until(lambda: not redis.keys("*"))


def test_without_its_mark_nothing_is_made(redis: Redis, engine: Engine, answering: Replier, export: str) -> None:
    answering.take(**asked(export))
    waited_for(redis, "two")
    answering.take(**asked(export, "two", n=5))
    assert answer(redis)[0]["id"] == "two"
    assert sum(n * turns for n, turns in enumerate(engine.load()[1])) == 5


def test_requests_of_one_message_are_answered_each_for_itself(redis: Redis, answering: Replier, export: str) -> None:
    sent = [asked(export, id_, n)["requests"][0] for id_, n in (("one", 1), ("gone", 2), ("three", 3))]
    sent.append(asked("0" * 64, "bad")["requests"][0])
    for id_ in ("one", "three", "bad"):
        waited_for(redis, id_)
    answering.take(ANSWERS, sent)
    answers = [answer(redis) for _ in range(3)]
    assert {head["id"]: None if array is None else len(array) for head, array in answers} == {
        "one": 1,
        "three": 3,
        "bad": None,
    }
    assert until(lambda: not redis.keys("*"))


def test_a_damaged_export_is_told_by_its_name(redis: Redis, answering: Replier, export: str) -> None:
    path = Store(get_settings().artifacts).path(export)
    path.write_bytes(path.read_bytes()[:-1])
    waited_for(redis)
    answering.take(**asked(export))
    head, _ = answer(redis)
    assert head == {"id": "one", "export": export, "flaw": "damaged"}


def test_a_message_that_comes_twice_is_answered_once(redis: Redis, answering: Replier, export: str) -> None:
    waited_for(redis)
    answering.take(**asked(export, n=LONG))
    answering.take(**asked(export, n=LONG))
    waited_for(redis, "other")
    answering.take(**asked(export, "other"))
    assert redis.exists(redis_codec.mark_key("one"))
    assert answer(redis)[0]["id"] == "other"
    redis.delete(redis_codec.mark_key("one"))


def test_what_waits_is_withdrawn_with_its_mark(redis: Redis, engine: Engine, answering: Replier, export: str) -> None:
    waited_for(redis)
    answering.take(**asked(export, n=LONG))
    redis.delete(redis_codec.mark_key("one"))
    assert answer(redis)[0] == {"id": "one", "withdrawn": True}
    until(lambda: engine.load()[0] == 0)
    assert sum(n * turns for n, turns in enumerate(engine.load()[1])) < LONG


def test_a_full_queue_and_a_bad_request_are_told(redis: Redis, engine: Engine, answering: Replier, export: str) -> None:
    for id_ in ("large", "small", "bad"):
        waited_for(redis, id_)
    answering.take(**asked(export, "large", n=LONG))
    answering.take(**asked(export, "small"))
    head, _ = answer(redis)
    assert head["id"] == "small"
    assert head["retry_after"] > 0
    redis.delete(redis_codec.mark_key("large"))
    assert answer(redis)[0] == {"id": "large", "withdrawn": True}
    until(lambda: engine.load()[0] == 0)  # its places are free at the engine's next turn
    answering.take(**asked("0" * 64, "bad"))
    assert answer(redis)[0] == {"id": "bad", "export": "0" * 64, "flaw": "missing"}


def test_a_stop_is_told_to_who_waits(redis: Redis, engine: Engine, export: str) -> None:
    answering = Replier(engine, get_settings())
    waited_for(redis)
    answering.take(**asked(export, n=LONG))
    answering.close()
    assert answer(redis)[0] == {"id": "one", "withdrawn": True}


def test_parcels_carry_arrays_as_they_are() -> None:
    for kind in ("u1", "f4", "i8"):
        array = np.arange(12).reshape(2, 3, 2).astype(kind)
        head, back = redis_codec.unpack(redis_codec.pack({"id": "x\n"}, array))
        assert head["id"] == "x\n"
        assert back is not None
        assert (back == array).all()
        assert back.dtype == array.dtype
        back[...] = 0
    assert redis_codec.unpack(redis_codec.pack({"a": 1})) == ({"a": 1}, None)


def test_requests_that_cannot_be_read_cost_the_others_nothing(
    redis: Redis, engine: Engine, answering: Replier, export: str
) -> None:
    waited_for(redis)
    waited_for(redis, "bare")
    redis.set(redis_codec.mark_key("torn"), b"no parcel")
    redis.rpush(redis_codec.mark_key("list"), b"no mark")
    asking = asked(export)
    strange: list[Any] = [7, None, {}, {"id": 7}, {"id": "bare"}, {"id": "torn", "export": export}, {"id": "list"}]
    asking["requests"] = [*strange, *asking["requests"]]
    answering.take(**asking)
    answers = {head["id"]: (head, array) for head, array in (answer(redis) for _ in range(3))}
    assert answers.keys() == {"bare", "torn", "one"}
    assert answers["one"][1] is not None
    assert "error" in answers["bare"][0]
    assert "error" in answers["torn"][0]
