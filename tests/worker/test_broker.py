"""No reply of Redis and no message in its queues ends a worker, stalls it or disturbs its runners."""

from collections.abc import Callable
from functools import partial

import psutil
import pytest
from redis import Redis

from app.core.settings import get_settings
from app.services.inference.redis_codec import connect
from app.services.jobs import lifecycle
from app.services.system import health
from forger.wire import TERMINAL, JobState
from tests.support import junk
from tests.support.broker import let_redis_write, make_redis_refuse_writes
from tests.support.jobs import make_job
from tests.support.wait import until
from tests.support.worker import Process, running_worker, until_state, until_step, worker_log

S = JobState
LONG = 1_000_000
"""so many steps that no test waits for their end"""
RedisAction = Callable[[Redis], object]


@pytest.fixture(scope="module", params=["sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    """Nothing here depends on the database."""
    kind: str = request.param
    return kind


@pytest.fixture
def redis(broker: Process) -> Redis:
    return connect(get_settings(), retries=3)


def logged(word: str) -> bool:
    return word in worker_log().read_text()


def short_job() -> str:
    return make_job("gan", "ring8", steps=3).id


def require_password(redis: Redis) -> None:
    redis.config_set("requirepass", "secret")
    redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def change_permissions(redis: Redis, *rules: str) -> None:
    redis.execute_command("ACL", "SETUSER", "default", *rules)


REFUSALS: dict[str, tuple[RedisAction, RedisAction]] = {
    "WRONGTYPE": (lambda redis: redis.set(junk.QUEUE, "a string"), lambda redis: redis.delete(junk.QUEUE)),
    "MISCONF": (make_redis_refuse_writes, let_redis_write),
    "maxmemory": (lambda redis: redis.config_set("maxmemory", 1), lambda redis: redis.config_set("maxmemory", 0)),
    "read only": (lambda redis: redis.replicaof("127.0.0.1", "1"), lambda redis: redis.replicaof("NO", "ONE")),
    "no permissions": (
        lambda redis: change_permissions(redis, "-brpop", "-lpush"),
        lambda redis: change_permissions(redis, "+@all"),
    ),
    "Authentication required": (require_password, lambda redis: redis.config_set("requirepass", "")),
}
"""by a word of Redis's reply: an action that makes it refuse, and the action that undoes it"""


def test_junk_messages_do_not_stall_a_worker(redis: Redis) -> None:
    """Each kind of junk lies three times before a ring: more messages than a worker may prefetch."""
    messages = junk.messages(redis)
    with running_worker(FORGER_RING_INTERVAL_S="1000") as worker:
        first = short_job()
        until_state(first, *TERMINAL)
        for message in messages * 3:
            redis.lpush(junk.QUEUE, message)
        job_id = short_job()
        assert until_state(job_id, *TERMINAL).state == S.SUCCEEDED
        assert worker.poll() is None
    log = worker_log().read_text()
    assert log.count('"message_skipped"') >= 3 * len(junk.NO_ENVELOPES)
    assert "Traceback" not in log.split('"message_skipped"')[0]
    assert max(map(len, log.splitlines())) < 20_000, "a line of the log is bounded whatever was sent"


def test_refusals_of_redis_end_no_worker_and_no_runner(redis: Redis) -> None:
    """One job trains all the time; another is queued, so that the worker also sends rings."""
    training, queued = make_job("gan", "ring8", steps=LONG, checkpoint_every=LONG, report_every=LONG).id, short_job()
    with running_worker(FORGER_RING_INTERVAL_S="1") as worker:
        until_step(training, 1)
        (runner,) = psutil.Process(worker.pid).children()
        for word, (refuse, permit) in REFUSALS.items():
            assert health.broker() is None, word
            refuse(redis)
            assert health.broker() is not None, word
            until(partial(logged, word))
            permit(redis)
            redis.lpush(junk.QUEUE, b"junk")
            until(lambda: not redis.llen(junk.QUEUE))
            assert worker.poll() is None, word
        assert runner.is_running()
        until_step(training, lifecycle.get(training).step + 1)
        assert lifecycle.get(training).attempt == 1
        lifecycle.cancel(training)
        assert until_state(queued, *TERMINAL).state == S.SUCCEEDED
