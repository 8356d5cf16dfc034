"""Following a job: every event once and in order, also when the connection breaks at any byte."""

from collections.abc import Iterator
from itertools import chain, repeat
from urllib.parse import urlsplit

import pytest

from forger import (
    CheckpointSaved,
    Forger,
    ForgerProblem,
    Job,
    Metrics,
    OtherEvent,
    ProbeTaken,
    SampleDrawn,
    StateChanged,
    Unreachable,
    connection,
    events,
    following,
)
from tests.support.proxy import breaking_line
from tests.support.wait import until


def port_of(url: str) -> int:
    return urlsplit(url).port or 80


def log_of(job: Job) -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in job.events()]


def name_of(event: object) -> str:
    names = {StateChanged: "state", Metrics: "metrics", CheckpointSaved: "checkpoint", SampleDrawn: "sample"}
    names |= {ProbeTaken: "probe"}
    return event.type if isinstance(event, OtherEvent) else names[type(event)]


def test_followed_events_are_typed_and_equal_the_log(forger: Forger, trained: Job) -> None:
    followed = list(trained.follow())
    assert [(event.seq, name_of(event)) for event in followed] == log_of(trained)
    states = [event.state for event in followed if isinstance(event, StateChanged)]
    assert states == ["queued", "running", "succeeded"]
    steps = [event.step for event in followed if isinstance(event, Metrics)]
    assert steps == sorted(steps), "the last step has a report and an evaluation"
    assert steps[-1] == 6


def test_job_can_be_followed_while_it_trains(forger: Forger) -> None:
    job = forger.train("dcgan", dataset="digits", budget={"steps": 4})
    *_, last = job.follow()
    assert isinstance(last, StateChanged)
    assert last.last
    assert job.state == "succeeded"
    assert job.model == "dcgan-digits@1"


def test_following_can_start_after_an_event(trained: Job) -> None:
    followed = list(trained.follow())
    assert list(trained.follow(after=followed[3].seq)) == followed[4:]
    assert list(trained.follow(after=followed[-1].seq)) == []


@pytest.mark.parametrize("step", [701, 900, 1999])
def test_broken_connections_lose_and_repeat_no_event(
    step: int, trained: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cuts fall into headers, into the middle of events and between them."""
    monkeypatch.setattr(events, "PAUSE_S", 0.0)
    expected = list(trained.follow())
    with breaking_line(port_of(forger.url), range(step, 40 * step, step)) as url, Forger(url) as client:
        assert list(events.follow(client._connection, trained.id)) == expected


def test_service_that_never_answered_raises_unreachable(trained: Job) -> None:
    with breaking_line(1, []) as url:
        closed_url = url
    with Forger(closed_url) as client, pytest.raises(Unreachable, match="forger serve"):
        next(events.follow(client._connection, trained.id))


def test_service_that_stays_away_raises_unreachable(
    trained: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PAUSE_S", 0.0)
    monkeypatch.setattr(events, "PATIENCE_S", 0.0)
    with breaking_line(port_of(forger.url), [900]) as url:
        client = Forger(url)
        following = events.follow(client._connection, trained.id)
        next(following)
    with client, pytest.raises(Unreachable):
        list(following)


def test_following_an_unknown_job_raises_not_found(forger: Forger) -> None:
    with pytest.raises(ForgerProblem) as refused:
        next(events.follow(forger._connection, "job_0"))
    assert refused.value.status == 404


def test_terminal_shows_a_line_for_each_event(trained: Job, capsys: pytest.CaptureFixture[str]) -> None:
    trained.follow().show()
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[1], lines[-1]] == ["queued", "running", "succeeded"]
    assert any(line.startswith("step 6 of 6  critic ") for line in lines)


@pytest.fixture
def paused(forger: Forger) -> Iterator[Job]:
    """A job that changes only if a test does something."""
    job = forger.train("gan", dataset="ring8", budget={"steps": 4}).pause()
    until(lambda: job.refresh().state == "paused")
    yield job
    job.cancel()


def test_display_goes_on_after_broken_connections(paused: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "REFRESH_S", 0.0)
    monkeypatch.setattr(connection, "TRIES", 1)
    cuts = iter([12_000, 0, 500, 900, 4000])
    with breaking_line(port_of(forger.url), cuts) as url, Forger(url) as client:
        views = following.views(client.job(paused.id))
        shown = [next(views)["text/plain"] for _ in range(20)]
        assert list(cuts) == [], "every connection of the list was cut"
        assert set(shown) == {"gan on ring8, paused, 0 of 4"}
        paused.cancel()
        *_, last = views
    assert last["text/plain"].startswith("gan on ring8, cancelled, 0 of 4")


def test_display_of_a_service_that_stays_away_raises_unreachable(
    paused: Job, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "REFRESH_S", 0.0)
    monkeypatch.setattr(connection, "TRIES", 1)
    monkeypatch.setattr(events, "PATIENCE_S", 0.0)
    with breaking_line(port_of(forger.url), chain([12_000], repeat(0))) as url, Forger(url) as client:
        views = following.views(client.job(paused.id))
        next(views)
        with pytest.raises(Unreachable):
            list(views)
