"""Idempotency keys: one key creates one job, however often it is sent and whichever process dies."""

from pathlib import Path

import pytest
from sqlalchemy import text

from app.core.errors import Conflict, Invalid
from app.db.repositories import keys
from app.db.session import unit_of_work
from app.services import idempotency
from app.services.idempotency import Replay, fingerprint, once
from app.services.jobs import lifecycle
from tests.support.jobs import make_job
from tests.support.row_counts import count_rows


def create_or_replay(key: str = "k", body_fingerprint: str = "a") -> str:
    """Return the id of the job under the key; create the job if there is none."""
    with once(key, body_fingerprint) as turn:
        if isinstance(turn, Replay):
            return turn.id
        return make_job(answer=turn).id


def leave_key_without_reply(key: str = "k", body_fingerprint: str = "a") -> None:
    """Leave what a process leaves that is killed between taking the key and creating the job."""
    with unit_of_work() as session:
        keys.take(session, key, body_fingerprint)


def age_keys(seconds: float) -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE idempotency_keys SET created_at = created_at - :s"), {"s": seconds})


def count_keys() -> int:
    return count_rows("idempotency_keys")


def test_same_key_returns_the_same_job(database: Path) -> None:
    assert create_or_replay() == create_or_replay()
    assert create_or_replay("another") != create_or_replay()
    assert len(lifecycle.list_jobs()[0]) == 2


def test_request_without_a_key_stores_no_key(database: Path) -> None:
    with once(None, "a") as turn:
        assert turn is None
    assert count_keys() == 0


def test_key_with_another_body_is_refused(database: Path) -> None:
    create_or_replay()
    with pytest.raises(Invalid) as refused:
        create_or_replay(body_fingerprint="b")
    assert refused.value.code == "idempotency_mismatch"


def test_second_request_during_the_first_is_refused_with_retry_after(database: Path) -> None:
    with once("k", "a") as turn:
        assert not isinstance(turn, Replay)
        with pytest.raises(Conflict) as refused:
            create_or_replay()
        assert (refused.value.code, refused.value.headers) == ("idempotency_in_progress", {"Retry-After": "1"})
        with pytest.raises(Invalid):
            create_or_replay(body_fingerprint="b")


def test_refused_request_frees_its_key(database: Path) -> None:
    with pytest.raises(Invalid, match="no"), once("k", "a"):
        raise Invalid("no")
    assert count_keys() == 0
    create_or_replay(body_fingerprint="b")


def test_key_of_a_dead_process_is_taken_over_after_the_time_out(database: Path) -> None:
    leave_key_without_reply()
    age_keys(idempotency.REPLY_TIMEOUT_S - 5)
    with pytest.raises(Conflict):
        create_or_replay()
    age_keys(10)
    assert create_or_replay() == create_or_replay()


def test_process_that_lost_its_key_creates_no_second_job(database: Path) -> None:
    created: list[str] = []

    def reply_late() -> None:
        with once("k", "a") as turn:
            assert turn is not None
            assert not isinstance(turn, Replay)
            age_keys(idempotency.REPLY_TIMEOUT_S + 5)
            created.append(create_or_replay())
            make_job(answer=turn)

    with pytest.raises(Conflict):
        reply_late()
    (job_id,) = created
    assert [job.id for job in lifecycle.list_jobs()[0]] == [job_id]
    assert create_or_replay() == job_id, "the late process did not free the key either"


def test_keys_expire_after_their_lifetime(database: Path) -> None:
    first = create_or_replay()
    age_keys(idempotency.KEY_LIFETIME_S - 5)
    idempotency.delete_expired()
    assert create_or_replay() == first
    age_keys(10)
    assert create_or_replay() != first
    age_keys(idempotency.KEY_LIFETIME_S + 5)
    idempotency.delete_expired()
    assert count_keys() == 0


def test_fingerprint_depends_on_the_value_and_not_on_member_order() -> None:
    assert fingerprint({"a": 1, "b": [1, {"x": None}]}) == fingerprint({"b": [1, {"x": None}], "a": 1})
    others: list[object] = [{}, [], None, {"a": 1}, {"a": "1"}, {"a": [1]}, "\ud800", float("nan")]
    assert len({fingerprint(value) for value in others}) == len(others)
