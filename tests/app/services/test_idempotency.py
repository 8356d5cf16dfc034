"""One key, one job: whoever asks, however often, whoever dies."""

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


def keep(key: str = "k", mark: str = "a") -> str:
    """A job under the key, or the one that is there; its id."""
    with once(key, mark) as turn:
        if isinstance(turn, Replay):
            return turn.id
        return make_job(answer=turn).id


def die_answering(key: str = "k", mark: str = "a") -> None:
    """What a process leaves that is killed between taking the key and making the job."""
    with unit_of_work() as session:
        keys.take(session, key, mark)


def age(seconds: float) -> None:
    with unit_of_work() as session:
        session.execute(text("UPDATE idempotency_keys SET created_at = created_at - :s"), {"s": seconds})


def count() -> int:
    with unit_of_work(read_only=True) as session:
        return int(session.execute(text("SELECT count(*) FROM idempotency_keys")).scalar_one())


def test_a_key_answers_the_job_it_made(database: Path) -> None:
    assert keep() == keep()
    assert keep("another") != keep()
    assert len(lifecycle.list_jobs()[0]) == 2


def test_without_a_key_every_request_is_new(database: Path) -> None:
    with once(None, "a") as turn:
        assert turn is None
    assert count() == 0


def test_a_key_with_another_body_is_refused(database: Path) -> None:
    keep()
    with pytest.raises(Invalid) as refused:
        keep(mark="b")
    assert refused.value.code == "idempotency_mismatch"


def test_while_the_first_is_being_answered_the_second_is_told_to_wait(database: Path) -> None:
    with once("k", "a") as turn:
        assert not isinstance(turn, Replay)
        with pytest.raises(Conflict) as refused:
            keep()
        assert (refused.value.code, refused.value.headers) == ("idempotency_in_progress", {"Retry-After": "1"})
        with pytest.raises(Invalid):
            keep(mark="b")


def test_a_refused_request_frees_its_key(database: Path) -> None:
    with pytest.raises(Invalid, match="no"), once("k", "a"):
        raise Invalid("no")
    assert count() == 0
    keep(mark="b")


def test_a_key_whose_answerer_died_is_taken_over_after_a_minute(database: Path) -> None:
    die_answering()
    age(idempotency.REPLY_TIMEOUT_S - 5)
    with pytest.raises(Conflict):
        keep()
    age(10)
    assert keep() == keep()


def test_who_was_taken_over_makes_no_second_job(database: Path) -> None:
    made: list[str] = []

    def be_late() -> None:
        with once("k", "a") as turn:
            assert turn is not None
            assert not isinstance(turn, Replay)
            age(idempotency.REPLY_TIMEOUT_S + 5)
            made.append(keep())
            make_job(answer=turn)

    with pytest.raises(Conflict):
        be_late()
    (job_id,) = made
    assert [job.id for job in lifecycle.list_jobs()[0]] == [job_id]
    assert keep() == job_id, "the one who was late has not freed the key either"


def test_keys_are_forgotten_after_a_day(database: Path) -> None:
    first = keep()
    age(idempotency.KEY_LIFETIME_S - 5)
    idempotency.delete_expired()
    assert keep() == first
    age(10)
    assert keep() != first
    age(idempotency.KEY_LIFETIME_S + 5)
    idempotency.delete_expired()
    assert count() == 0


def test_a_fingerprint_is_of_the_value_and_not_of_its_spelling() -> None:
    assert fingerprint({"a": 1, "b": [1, {"x": None}]}) == fingerprint({"b": [1, {"x": None}], "a": 1})
    others: list[object] = [{}, [], None, {"a": 1}, {"a": "1"}, {"a": [1]}, "\ud800", float("nan")]
    assert len({fingerprint(value) for value in others}) == len(others)
